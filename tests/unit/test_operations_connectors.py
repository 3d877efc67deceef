import re

import pytest
from desk import START, Desk

from maskline.domain.refusals import NotFound


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_new_connector(desk: Desk) -> None:
    made = desk.call(
        "CreateVoiceConnector", Name="a", RequireEncryption=True, AwsRegion="eu-west-1"
    )
    connector = made["VoiceConnector"]
    connector_id = connector["VoiceConnectorId"]
    assert re.fullmatch(r"[a-z0-9]{22}", connector_id)
    assert connector == {
        "VoiceConnectorId": connector_id,
        "AwsRegion": "eu-west-1",
        "Name": "a",
        "OutboundHostName": f"{connector_id}.voiceconnector.chime.aws",
        "RequireEncryption": True,
        "CreatedTimestamp": START,
        "UpdatedTimestamp": START,
        "VoiceConnectorArn": f"arn:aws:chime:eu-west-1:{desk.account_id}:vc/{connector_id}",
        "IntegrationType": None,
        "NetworkType": "IPV4_ONLY",
    }
    assert desk.call("GetVoiceConnector", VoiceConnectorId=connector_id) == made


def test_connectors_are_listed_newest_first(desk: Desk) -> None:
    made = [desk.connector() for _ in range(3)]
    first = desk.call("ListVoiceConnectors", MaxResults=2)
    second = desk.call("ListVoiceConnectors", MaxResults=2, NextToken=first["NextToken"])
    found = [
        each["VoiceConnectorId"] for page in (first, second) for each in page["VoiceConnectors"]
    ]
    assert found == made[::-1]
    assert "NextToken" not in second


def test_another_accounts_connector_is_not_found(desk: Desk) -> None:
    connector = desk.connector()
    desk.account_id = "999999999999"
    with pytest.raises(NotFound):
        desk.call("GetVoiceConnector", VoiceConnectorId=connector)
    assert desk.call("ListVoiceConnectors")["VoiceConnectors"] == []
