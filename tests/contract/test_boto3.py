"""The newest boto3, as it comes, against the control API."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from house import House

ANN, BEN, CAT = "+12065550100", "+14015550101", "+13035550102"
NUMBERS = ("+12065550198", "+12065550199")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def house(house: House) -> House:
    house.import_numbers(*NUMBERS)
    return house


@pytest.fixture
def connector(client: Any) -> str:
    """A new voice connector with a proxy configuration."""
    return new_connector(client)


def new_connector(client: Any) -> str:
    made = client.create_voice_connector(Name="one", RequireEncryption=False)
    connector_id: str = made["VoiceConnector"]["VoiceConnectorId"]
    put_proxy(client, connector_id)
    return connector_id


def put_proxy(client: Any, connector_id: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.put_voice_connector_proxy(
        VoiceConnectorId=connector_id,
        **{"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"], **more},
    )
    return answer


def create(client: Any, connector_id: str, **more: Any) -> dict[str, Any]:
    asked = {"ParticipantPhoneNumbers": [ANN, BEN], "Capabilities": ["Voice", "SMS"], **more}
    answer: dict[str, Any] = client.create_proxy_session(VoiceConnectorId=connector_id, **asked)
    return answer


@pytest.fixture
def session(client: Any, connector: str) -> Iterator[dict[str, str]]:
    """The ids of a new session, which ends with the test so that its numbers are free again."""
    made = create(client, connector)["ProxySession"]
    ids = {name: made[name] for name in ("VoiceConnectorId", "ProxySessionId")}
    yield ids
    client.delete_proxy_session(**ids)


def status(answer: dict[str, Any]) -> int:
    code: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    assert UUID.fullmatch(answer["ResponseMetadata"]["RequestId"])
    return code


def refused(client: Any, exception: str, call: Callable[[], object]) -> dict[str, Any]:
    """The error that a call raises, which must be of the client's own class of that name."""
    with pytest.raises(getattr(client.exceptions, exception)) as told:
        call()
    response: dict[str, Any] = told.value.response
    assert response["Error"]["Code"] == exception
    assert UUID.fullmatch(response["ResponseMetadata"]["RequestId"])
    return response


def test_voice_connectors(client: Any, connector: str) -> None:
    found = client.get_voice_connector(VoiceConnectorId=connector)["VoiceConnector"]
    assert found["Name"] == "one"
    assert found["VoiceConnectorArn"].endswith(f":vc/{connector}")
    ids = [each["VoiceConnectorId"] for each in client.list_voice_connectors()["VoiceConnectors"]]
    assert connector in ids


def test_proxy_configuration(client: Any, connector: str) -> None:
    put = put_proxy(client, connector, FallBackPhoneNumber=CAT, Disabled=True)
    assert (status(put), put["Proxy"]) == (
        200,
        {
            "DefaultSessionExpiryMinutes": 60,
            "Disabled": True,
            "FallBackPhoneNumber": CAT,
            "PhoneNumberCountries": ["US"],
        },
    )
    assert client.get_voice_connector_proxy(VoiceConnectorId=connector)["Proxy"] == put["Proxy"]
    gone = client.delete_voice_connector_proxy(VoiceConnectorId=connector)
    assert status(gone) == 204
    refused(
        client,
        "NotFoundException",
        lambda: client.get_voice_connector_proxy(VoiceConnectorId=connector),
    )


def test_a_session_from_its_beginning_to_its_end(client: Any, connector: str) -> None:
    made = create(client, connector, Name="A to B", ExpiryMinutes=30)
    assert status(made) == 201
    session = made["ProxySession"]
    assert session["Status"] == "Open"
    assert session["Capabilities"] == ["SMS", "Voice"]
    assert session["CreatedTimestamp"].utcoffset() == timedelta(0)
    assert {each["PhoneNumber"] for each in session["Participants"]} == {ANN, BEN}
    assert {each["ProxyPhoneNumber"] for each in session["Participants"]} <= set(NUMBERS)
    ids = {name: session[name] for name in ("VoiceConnectorId", "ProxySessionId")}
    assert client.get_proxy_session(**ids)["ProxySession"] == session
    updated = client.update_proxy_session(**ids, Capabilities=["Voice"], ExpiryMinutes=45)
    assert status(updated) == 201
    assert updated["ProxySession"]["Capabilities"] == ["Voice"]
    assert updated["ProxySession"]["ExpiryMinutes"] == 45
    assert status(client.delete_proxy_session(**ids)) == 204
    closed = client.get_proxy_session(**ids)["ProxySession"]
    assert closed["Status"] == "Closed"
    assert "EndedTimestamp" in closed
    assert status(client.delete_proxy_session(**ids)) == 204


def test_lists_by_pages(client: Any, connector: str) -> None:
    made = []
    for _ in range(5):
        session = create(client, connector)["ProxySession"]
        made.append(session["ProxySessionId"])
        client.delete_proxy_session(
            VoiceConnectorId=connector, ProxySessionId=session["ProxySessionId"]
        )
    found, token = [], {}
    while True:
        page = client.list_proxy_sessions(
            VoiceConnectorId=connector, Status="Closed", MaxResults=2, **token
        )
        assert len(page["ProxySessions"]) <= 2
        found += [each["ProxySessionId"] for each in page["ProxySessions"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == made[::-1]
    assert (
        client.list_proxy_sessions(VoiceConnectorId=connector, Status="Open")["ProxySessions"] == []
    )
    refused(
        client,
        "BadRequestException",
        lambda: client.list_proxy_sessions(VoiceConnectorId=connector, NextToken="+/=&é"),
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"Capabilities": ["Fax"]}, "enum"),
        ({"ParticipantPhoneNumbers": [ANN, BEN, CAT]}, "length"),
        ({"ParticipantPhoneNumbers": [ANN, "Ben"]}, "regular expression"),
        ({"Name": "x" * 40}, "regular expression"),
        ({"GeoMatchLevel": "Planet"}, "enum"),
        ({"ExpiryMinutes": 10**6}, "720"),
        ({"ParticipantPhoneNumbers": [ANN, ANN]}, "same phone number"),
    ],
)
def test_bad_input(client: Any, connector: str, wrong: dict[str, Any], told: str) -> None:
    response = refused(client, "BadRequestException", lambda: create(client, connector, **wrong))
    assert status(response) == 400
    assert told in response["Error"]["Message"]
    assert ANN not in response["Error"]["Message"]


def test_a_disabled_configuration(client: Any, connector: str) -> None:
    put_proxy(client, connector, Disabled=True)
    response = refused(client, "ForbiddenException", lambda: create(client, connector))
    assert status(response) == 403


def test_what_is_not_found(client: Any, connector: str) -> None:
    for ids in (
        {"VoiceConnectorId": connector, "ProxySessionId": "nothing/of/the kind+%2F"},
        {"VoiceConnectorId": "a" * 22, "ProxySessionId": "x"},
    ):
        response = refused(
            client, "NotFoundException", lambda ids=ids: client.get_proxy_session(**ids)
        )
        assert status(response) == 404


def test_a_pool_is_exhausted(client: Any, connector: str) -> None:
    made = [create(client, connector)["ProxySession"] for _ in NUMBERS]
    response = refused(client, "BadRequestException", lambda: create(client, connector))
    assert "free" in response["Error"]["Message"]
    for session in made:
        client.delete_proxy_session(
            VoiceConnectorId=connector, ProxySessionId=session["ProxySessionId"]
        )
    again = create(client, connector)["ProxySession"]
    client.delete_proxy_session(VoiceConnectorId=connector, ProxySessionId=again["ProxySessionId"])


def test_accounts_do_not_see_each_other(house: House, client: Any, session: dict[str, str]) -> None:
    stranger = house.client(house.new_tenant())
    refused(stranger, "NotFoundException", lambda: stranger.get_proxy_session(**session))
    refused(stranger, "NotFoundException", lambda: stranger.delete_proxy_session(**session))
    refused(
        stranger,
        "NotFoundException",
        lambda: stranger.list_proxy_sessions(VoiceConnectorId=session["VoiceConnectorId"]),
    )
    assert stranger.list_voice_connectors()["VoiceConnectors"] == []
    assert client.get_proxy_session(**session)["ProxySession"]["Status"] == "Open"


def test_a_wrong_key(house: House) -> None:
    for key, name in (
        (house.operator._replace(secret="wrong"), "InvalidSignatureException"),
        (house.operator._replace(id="AKIANOBODY"), "UnrecognizedClientException"),
    ):
        with pytest.raises(ClientError) as told:
            house.client(key).list_voice_connectors()
        assert told.value.response["Error"]["Code"] == name


def test_what_amazon_offers_and_we_do_not(client: Any) -> None:
    response = refused(client, "ForbiddenException", client.list_sip_rules)
    assert "ListSipRules is not offered" in response["Error"]["Message"]
    assert "Offered are proxy sessions" in response["Error"]["Message"]


def test_health(house: House) -> None:
    with urllib.request.urlopen(f"{house.url}/health") as answer:
        assert answer.status == 200
    house.engines["rtpengine"] = "down"
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(f"{house.url}/health")
    with told.value as answer:
        assert answer.status == 503
    house.engines["rtpengine"] = "up"
