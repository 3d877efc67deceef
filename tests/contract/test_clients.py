"""The clients that customers have, as they come: each plays a session's whole life."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from contract.web_clients import CLIENTS, Client, Refused, aws_cli, boto3, java_sdk, javascript_sdk
from databases import new_store_url
from house import House

ANN, BEN, CAT = "+12065550100", "+14015550101", "+13035550102"
NUMBERS = {"+12065550198", "+12065550199"}
VOICE = "chime-sdk-voice"

NAMES = ("boto3-1.37.1", "awscli-1.38.1", "awscli-newest", "java-1.11.901")
pytestmark = pytest.mark.skipif(
    not all((CLIENTS / name / "installed").exists() for name in NAMES),
    reason="tools/client-venvs installs AWS's clients",
)


@pytest.fixture(scope="module")
def house(
    request: pytest.FixtureRequest,
    costly_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with House(folder, new_store_url(request, costly_database, folder)).open() as house:
        house.import_numbers(*NUMBERS)
        yield house


BOTO3 = partial(boto3, "boto3-1.37.1")
PLAYED = {
    "boto3-1.37.1-chime": partial(BOTO3, "chime"),
    "boto3-1.37.1-chime-sdk-voice": partial(BOTO3, VOICE),
    "awscli-1.38.1-chime": partial(aws_cli, "awscli-1.38.1", "chime"),
    "awscli-newest-chime-sdk-voice": partial(aws_cli, "awscli-newest", VOICE),
    "javascript-3-chime-sdk-voice": partial(javascript_sdk, "player.mjs"),
    "javascript-3-chime": partial(javascript_sdk, "older.mjs"),
    "javascript-2-chime": partial(javascript_sdk, "version2.mjs"),
    "java-1.11.901-chime": partial(java_sdk, "java-1.11.901"),
}


@pytest.fixture(params=PLAYED)
def client(request: pytest.FixtureRequest, prefix: str, house: House) -> Iterator[Client]:
    with PLAYED[request.param](prefix, house) as client:
        yield client


def refused(name: str, call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(Refused) as told:
        call(**arguments)
    assert told.value.name == name
    assert told.value.message
    return told.value.message


@pytest.mark.parametrize("prefix", ["", "/console"])
def test_a_session_from_its_beginning_to_its_end(client: Client) -> None:
    made = client.CreateVoiceConnector(Name="shop", RequireEncryption=False)["VoiceConnector"]
    connector = {"VoiceConnectorId": made["VoiceConnectorId"]}
    wish = {**connector, "ParticipantPhoneNumbers": [ANN, BEN], "Capabilities": ["Voice", "SMS"]}
    refused("NotFoundException", client.CreateProxySession, **wish)
    configure(client, connector)
    first, second = open_twice(client, wish)
    wrong_input(client, wish)
    update_twice(client, connector, first)
    listed(client, connector, [second, first])
    delete_twice(client, connector, first, second)
    take_away(client, connector, wish)


def configure(client: Client, connector: dict[str, str]) -> None:
    wish = {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"]}
    put = client.PutVoiceConnectorProxy(**connector, **wish, FallBackPhoneNumber=CAT)
    assert put["Proxy"] == {
        "DefaultSessionExpiryMinutes": 60,
        "Disabled": False,
        "FallBackPhoneNumber": CAT,
        "PhoneNumberCountries": ["US"],
    }
    assert client.PutVoiceConnectorProxy(**connector, **wish, FallBackPhoneNumber=CAT) == put
    assert client.GetVoiceConnectorProxy(**connector) == put


def open_twice(client: Client, wish: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same request twice makes two sessions on two numbers; a third finds none."""
    first = client.CreateProxySession(**wish, Name="A to B")["ProxySession"]
    second = client.CreateProxySession(**wish, Name="A to B")["ProxySession"]
    proxies = [each["ProxyPhoneNumber"] for each in first["Participants"] + second["Participants"]]
    assert proxies[0] == proxies[1] != proxies[2] == proxies[3]
    assert set(proxies) == NUMBERS
    assert (first["Status"], first["ExpiryMinutes"]) == ("Open", 60)
    assert "free" in refused("BadRequestException", client.CreateProxySession, **wish)
    found = client.GetProxySession(
        VoiceConnectorId=wish["VoiceConnectorId"], ProxySessionId=first["ProxySessionId"]
    )
    assert found["ProxySession"] == first
    return first, second


def wrong_input(client: Client, wish: dict[str, Any]) -> None:
    for wrong, told in (
        ({"Capabilities": ["Fax"]}, "enum"),
        ({"ParticipantPhoneNumbers": [ANN, BEN, CAT]}, "length"),
        ({"ParticipantPhoneNumbers": [ANN, ANN]}, "same phone number"),
        ({"ExpiryMinutes": 100_000}, "720"),
    ):
        message = refused("BadRequestException", client.CreateProxySession, **{**wish, **wrong})
        assert told in message


def update_twice(client: Client, connector: dict[str, str], session: dict[str, Any]) -> None:
    ids = {**connector, "ProxySessionId": session["ProxySessionId"]}
    for _ in range(2):
        updated = client.UpdateProxySession(**ids, Capabilities=["Voice"], ExpiryMinutes=45)
        assert updated["ProxySession"]["Capabilities"] == ["Voice"]
        assert updated["ProxySession"]["ExpiryMinutes"] == 45
    refused("BadRequestException", client.UpdateProxySession, **ids, Capabilities=[])


def listed(client: Client, connector: dict[str, str], sessions: list[dict[str, Any]]) -> None:
    first = client.ListProxySessions(**connector, MaxResults=1)
    rest = client.ListProxySessions(**connector, MaxResults=1, NextToken=first["NextToken"])
    assert "NextToken" not in rest
    found = first["ProxySessions"] + rest["ProxySessions"]
    assert [each["ProxySessionId"] for each in found] == [
        each["ProxySessionId"] for each in sessions
    ]
    refused("BadRequestException", client.ListProxySessions, **connector, Status="Ajar")


def delete_twice(client: Client, connector: dict[str, str], *sessions: dict[str, Any]) -> None:
    for session in sessions:
        ids = {**connector, "ProxySessionId": session["ProxySessionId"]}
        client.DeleteProxySession(**ids)
        client.DeleteProxySession(**ids)
        assert client.GetProxySession(**ids)["ProxySession"]["Status"] == "Closed"
    refused("NotFoundException", client.DeleteProxySession, **connector, ProxySessionId="a+b/c%2F")


def take_away(client: Client, connector: dict[str, str], wish: dict[str, Any]) -> None:
    client.PutVoiceConnectorProxy(
        **connector,
        DefaultSessionExpiryMinutes=60,
        PhoneNumberPoolCountries=["US"],
        Disabled=True,
    )
    refused("ForbiddenException", client.CreateProxySession, **wish)
    client.DeleteVoiceConnectorProxy(**connector)
    client.DeleteVoiceConnectorProxy(**connector)
    refused("NotFoundException", client.GetVoiceConnectorProxy, **connector)
