"""What the AWS provider of Terraform does with each of its Chime resources, call by call.

Created, read until it is there, found unchanged by the next plan, changed, read, taken down, and
read until it is gone. The provider takes a NotFoundException, and nothing else, for "it is gone".
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from house import House

State = dict[str, Any]
Connector = dict[str, str]

NUMBER = "+12065550100"
ROUTES = [
    {"Host": "192.0.2.7", "Port": 5080, "Protocol": "TCP", "Priority": 1, "Weight": 5},
    {"Host": "192.0.2.8", "Port": 5060, "Protocol": "UDP", "Priority": 2, "Weight": 5},
]
TARGETS = [{"NotificationTarget": "SQS"}]
# Of each resource that is a configuration of a connector: its member, as it is made and changed.
CONFIGURATIONS: dict[str, tuple[str, State, State]] = {
    "aws_chime_voice_connector_origination": (
        "Origination",
        {"Routes": ROUTES[:1], "Disabled": False},
        {"Routes": ROUTES, "Disabled": True},
    ),
    "aws_chime_voice_connector_termination": (
        "Termination",
        {
            "CpsLimit": 1,
            "CallingRegions": ["US", "CA"],
            "CidrAllowedList": ["198.51.100.0/27"],
            "Disabled": False,
        },
        {
            "CpsLimit": 1,
            "CallingRegions": ["US"],
            "CidrAllowedList": ["198.51.100.0/27", "203.0.113.0/27"],
            "DefaultPhoneNumber": NUMBER,
            "Disabled": False,
        },
    ),
    "aws_chime_voice_connector_streaming": (
        "StreamingConfiguration",
        {"DataRetentionInHours": 5, "Disabled": False, "StreamingNotificationTargets": TARGETS},
        {"DataRetentionInHours": 0, "Disabled": True, "StreamingNotificationTargets": TARGETS},
    ),
}


class Provider:
    """Calls with what it needs of the API, and reads as often as a new resource may need."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def call(self, operation: str, **arguments: Any) -> State:
        answer: State = getattr(self._client, xform_name(operation))(**arguments)
        del answer["ResponseMetadata"]
        return answer

    def read(self, operation: str, **arguments: Any) -> State | None:
        """None when it is gone."""
        try:
            return self.call(operation, **arguments)
        except self._client.exceptions.NotFoundException:
            return None

    def appear(self, operation: str, **arguments: Any) -> State:
        for _ in range(5):
            if (state := self.read(operation, **arguments)) is not None:
                return state
        raise AssertionError(f"{operation} never finds what was made")


@pytest.fixture(scope="module")
def provider(module_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder: Path = tmp_path_factory.mktemp("house")
    with House(folder, module_url).open() as house:
        yield Provider(house.client())


@pytest.fixture
def connector(provider: Provider) -> Iterator[Connector]:
    made = provider.call("CreateVoiceConnector", Name="tf", RequireEncryption=True)
    ids = {"VoiceConnectorId": made["VoiceConnector"]["VoiceConnectorId"]}
    yield ids
    provider.call("DeleteVoiceConnector", **ids)
    assert provider.read("GetVoiceConnector", **ids) is None


def tags_of(provider: Provider, arn: str) -> dict[str, str]:
    tags = provider.call("ListTagsForResource", ResourceARN=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in tags}


def as_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def retag(provider: Provider, arn: str, old: dict[str, str], new: dict[str, str]) -> None:
    """As the provider does: takes away what goes or changes, adds what comes or has changed."""
    if gone := [key for key in old if old[key] != new.get(key)]:
        provider.call("UntagResource", ResourceARN=arn, TagKeys=gone)
    if come := {key: value for key, value in new.items() if old.get(key) != value}:
        provider.call("TagResource", ResourceARN=arn, Tags=as_tags(come))


def test_a_voice_connector_with_tags(provider: Provider) -> None:
    tags = {"env": "test", "owner": "me"}
    made = provider.call(
        "CreateVoiceConnector",
        Name="tf",
        RequireEncryption=True,
        AwsRegion="us-west-2",
        Tags=as_tags(tags),
    )
    ids = {"VoiceConnectorId": made["VoiceConnector"]["VoiceConnectorId"]}
    arn = made["VoiceConnector"]["VoiceConnectorArn"]
    for _ in range(2):  # the second plan finds nothing to change
        state = provider.appear("GetVoiceConnector", **ids)["VoiceConnector"]
        assert (state["Name"], state["AwsRegion"], state["RequireEncryption"]) == (
            "tf",
            "us-west-2",
            True,
        )
        assert state["OutboundHostName"]
        assert tags_of(provider, arn) == tags
    provider.call("UpdateVoiceConnector", **ids, Name="tf-2", RequireEncryption=False)
    changed = {"env": "live", "team": "voice"}
    retag(provider, arn, tags, changed)
    state = provider.appear("GetVoiceConnector", **ids)["VoiceConnector"]
    assert (state["Name"], state["RequireEncryption"]) == ("tf-2", False)
    assert tags_of(provider, arn) == changed
    provider.call("DeleteVoiceConnector", **ids)
    assert provider.read("GetVoiceConnector", **ids) is None
    assert provider.read("ListTagsForResource", ResourceARN=arn) is None


@pytest.mark.parametrize("resource", CONFIGURATIONS)
def test_a_configuration(provider: Provider, connector: Connector, resource: str) -> None:
    member, first, second = CONFIGURATIONS[resource]
    get, put, delete = (f"{verb}VoiceConnector{member}" for verb in ("Get", "Put", "Delete"))
    assert provider.read(get, **connector) is None
    for planned in (first, first, second):  # made, applied again, changed
        provider.call(put, **connector, **{member: planned})
        assert provider.appear(get, **connector) == {member: planned}
    provider.call(delete, **connector)
    assert provider.read(get, **connector) is None


def test_logging(provider: Provider, connector: Connector) -> None:
    """It has no end of its own: taking it down switches it off."""
    get, put = (f"{verb}VoiceConnectorLoggingConfiguration" for verb in ("Get", "Put"))
    for sip, metrics in ((True, True), (True, False), (False, False)):
        planned = {"EnableSIPLogs": sip, "EnableMediaMetricLogs": metrics}
        provider.call(put, **connector, LoggingConfiguration=planned)
        assert provider.appear(get, **connector) == {"LoggingConfiguration": planned}


def test_termination_credentials(provider: Provider, connector: Connector) -> None:
    """They need a termination; a change puts all of them, and nobody can read a password."""
    provider.call(
        "PutVoiceConnectorTermination",
        **connector,
        Termination=CONFIGURATIONS["aws_chime_voice_connector_termination"][1],
    )

    def names() -> list[str]:
        answer = provider.call("ListVoiceConnectorTerminationCredentials", **connector)
        found: list[str] = answer["Usernames"]
        return found

    for users in (["anna"], ["anna", "ben"]):
        credentials = [{"Username": user, "Password": f"secret-{user}"} for user in users]
        provider.call(
            "PutVoiceConnectorTerminationCredentials", **connector, Credentials=credentials
        )
        assert sorted(names()) == users
    provider.call(
        "DeleteVoiceConnectorTerminationCredentials", **connector, Usernames=["anna", "ben"]
    )
    assert names() == []


def test_a_group(provider: Provider, connector: Connector) -> None:
    """Before it is deleted, its connectors are taken out."""
    items = [{**connector, "Priority": 3}]
    made = provider.call("CreateVoiceConnectorGroup", Name="tf", VoiceConnectorItems=items)
    ids = {"VoiceConnectorGroupId": made["VoiceConnectorGroup"]["VoiceConnectorGroupId"]}
    changed = [{**connector, "Priority": 10}]
    for name, planned in (("tf", items), ("tf-2", changed), ("tf-2", [])):
        provider.call("UpdateVoiceConnectorGroup", **ids, Name=name, VoiceConnectorItems=planned)
        state = provider.appear("GetVoiceConnectorGroup", **ids)["VoiceConnectorGroup"]
        assert (state["Name"], state["VoiceConnectorItems"]) == (name, planned)
    provider.call("DeleteVoiceConnectorGroup", **ids)
    assert provider.read("GetVoiceConnectorGroup", **ids) is None
