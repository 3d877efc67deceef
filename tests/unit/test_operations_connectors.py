import re
from functools import partial
from typing import Any

import pytest
from desk import ANN, BEN, START, Desk

from maskline.clock import DAY, MINUTE
from maskline.domain.refusals import BadRequest, Conflict, LimitExceeded, NotFound
from maskline.operations import Policy, purge_sessions, settle_expired_sessions
from maskline.operations.carriers import put_carrier_reports
from maskline.operations.context import Quotas


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


def test_how_many_connectors_and_groups_an_account_can_have(desk: Desk) -> None:
    desk.policy = Policy(quotas=Quotas(voice_connectors=2, voice_connector_groups=1))
    first, _ = desk.connector(), desk.connector()
    with pytest.raises(LimitExceeded, match="2 voice connectors"):
        desk.connector()
    desk.call("DeleteVoiceConnector", VoiceConnectorId=first)
    desk.connector()
    group = make_group(desk)
    with pytest.raises(LimitExceeded, match="1 voice connector group"):
        make_group(desk)
    desk.call("DeleteVoiceConnectorGroup", **named(group))
    make_group(desk)


def test_another_accounts_connector_is_not_found(desk: Desk) -> None:
    connector = desk.connector()
    desk.account_id = "999999999999"
    with pytest.raises(NotFound):
        desk.call("GetVoiceConnector", VoiceConnectorId=connector)
    assert desk.call("ListVoiceConnectors")["VoiceConnectors"] == []


def test_an_update_replaces_name_and_encryption(desk: Desk) -> None:
    connector = desk.connector()
    desk.now += 5
    request = {"VoiceConnectorId": connector, "Name": "new", "RequireEncryption": True}
    shown = desk.call("UpdateVoiceConnector", **request)["VoiceConnector"]
    assert (shown["Name"], shown["RequireEncryption"]) == ("new", True)
    assert (shown["CreatedTimestamp"], shown["UpdatedTimestamp"]) == (START, START + 5)


def test_a_deleted_connector_is_gone(desk: Desk) -> None:
    connector = desk.connector()
    desk.import_numbers("+19135550199")
    session = desk.open(connector, ANN, BEN)
    with pytest.raises(Conflict, match="open proxy sessions"):
        desk.call("DeleteVoiceConnector", VoiceConnectorId=connector)
    desk.close(session)
    desk.call("DeleteVoiceConnector", VoiceConnectorId=connector)
    assert desk.call("ListVoiceConnectors")["VoiceConnectors"] == []
    for operation in ("GetVoiceConnector", "DeleteVoiceConnector", "GetVoiceConnectorProxy"):
        with pytest.raises(NotFound):
            desk.call(operation, VoiceConnectorId=connector)
    with pytest.raises(NotFound):
        desk.get(session)
    assert desk.dial(ANN, "+19135550199")["Reason"] == "session-closed"


def test_nothing_that_a_deleted_connector_kept_is_left(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    credentials = [{"Username": "anna-at-the-pbx", "Password": "p"}]
    termination = {"CidrAllowedList": ["192.0.2.0/27"]}
    desk.call("PutVoiceConnectorTermination", **connector, Termination=termination)
    desk.call("PutVoiceConnectorTerminationCredentials", **connector, Credentials=credentials)
    kept = ("anna-at-the-pbx", "192.0.2.0/27")
    assert all(each in desk.ground.dump() for each in kept)
    desk.call("DeleteVoiceConnector", **connector)
    assert not any(each in desk.ground.dump() for each in kept)


def test_a_deleted_connector_goes_with_its_last_session(desk: Desk) -> None:
    never_used, used, living = desk.connector(), desk.connector(), desk.connector()
    desk.import_numbers("+19135550199", "+19135550198", "+19135550197")
    closed = desk.open(used, ANN, BEN)
    desk.open(used, ANN, BEN, ExpiryMinutes=2)  # whose end nobody noted
    desk.close(desk.open(living, ANN, BEN))
    desk.now += MINUTE
    desk.close(closed)
    desk.now += MINUTE
    for connector in (never_used, used):
        desk.call("DeleteVoiceConnector", VoiceConnectorId=connector)
    assert kept_connectors(desk) == {used, living}
    desk.now += 30 * DAY - MINUTE
    assert purge_sessions(desk.context("")) == 2
    assert kept_connectors(desk) == {used, living}
    settle_expired_sessions(desk.context(""))
    desk.now += MINUTE
    assert purge_sessions(desk.context("")) == 1
    assert kept_connectors(desk) == {living}


def kept_connectors(desk: Desk) -> set[str]:
    rows = desk.ground.sql("SELECT voice_connector_id FROM voice_connectors")
    return {row["voice_connector_id"] for row in rows}


def test_what_a_connector_still_has_must_be_taken_off_it(desk: Desk) -> None:
    connector = desk.connector()
    desk.import_numbers("+19135550199", shared=False)
    numbers = {"VoiceConnectorId": connector, "E164PhoneNumbers": ["+19135550199"]}
    desk.call("AssociatePhoneNumbersWithVoiceConnector", **numbers)
    group = make_group(desk, connector)
    for code in ("PhoneNumberAssociationsExist", "VoiceConnectorGroupAssociationsExist"):
        with pytest.raises(Conflict) as refusal:
            desk.call("DeleteVoiceConnector", VoiceConnectorId=connector)
        assert refusal.value.code == code
        desk.call("DisassociatePhoneNumbersFromVoiceConnector", **numbers)
    desk.call("UpdateVoiceConnectorGroup", **named(group), Name="g", VoiceConnectorItems=[])
    desk.call("DeleteVoiceConnector", VoiceConnectorId=connector)


def test_regions_are_those_a_connector_may_name(desk: Desk) -> None:
    regions = desk.call("ListAvailableVoiceConnectorRegions")["VoiceConnectorRegions"]
    assert len(regions) == 10
    assert regions[0] == "us-east-1"


DOCUMENTS = [
    (
        "Termination",
        {"CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/24"]},
        {"CpsLimit": 1, "Disabled": False},
    ),
    (
        "Origination",
        {"Routes": [{"Host": "192.0.2.1", "Protocol": "UDP", "Priority": 1, "Weight": 1}]},
        {"Disabled": False},
    ),
    ("StreamingConfiguration", {"DataRetentionInHours": 0, "Disabled": True}, {}),
    (
        "EmergencyCallingConfiguration",
        {"DNIS": [{"EmergencyPhoneNumber": "+19115550100", "CallingCountry": "US"}]},
        {},
    ),
]


@pytest.mark.parametrize(("member", "document", "defaults"), DOCUMENTS)
def test_a_configuration_is_kept_and_given_back(
    desk: Desk, member: str, document: dict[str, Any], defaults: dict[str, Any]
) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    with pytest.raises(NotFound, match=member):
        desk.call(f"GetVoiceConnector{member}", **connector)
    put = desk.call(f"PutVoiceConnector{member}", **connector, **{member: document})
    if member == "Origination":
        document["Routes"][0]["Port"] = 5060
    assert put == {member: document | defaults}
    assert desk.call(f"GetVoiceConnector{member}", **connector) == put
    for _ in range(2):
        assert desk.call(f"DeleteVoiceConnector{member}", **connector) == {}
    with pytest.raises(NotFound, match=member):
        desk.call(f"GetVoiceConnector{member}", **connector)


def test_logging_is_off_until_it_is_put(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    off = {"EnableSIPLogs": False, "EnableMediaMetricLogs": False}
    assert desk.call("GetVoiceConnectorLoggingConfiguration", **connector) == {
        "LoggingConfiguration": off
    }
    on = {"LoggingConfiguration": {"EnableSIPLogs": True}}
    shown = desk.call("PutVoiceConnectorLoggingConfiguration", **connector, **on)
    assert shown["LoggingConfiguration"] == off | {"EnableSIPLogs": True}


def test_external_systems(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    name = "VoiceConnectorExternalSystemsConfiguration"
    types = {"SessionBorderControllerTypes": ["RIBBON_SBC"]}
    desk.call(f"Put{name}", **connector)
    assert desk.call(f"Get{name}", **connector) == {"ExternalSystemsConfiguration": {}}
    desk.call(f"Put{name}", **connector, **types)
    assert desk.call(f"Get{name}", **connector) == {"ExternalSystemsConfiguration": types}
    desk.call(f"Delete{name}", **connector)
    with pytest.raises(NotFound):
        desk.call(f"Get{name}", **connector)


@pytest.mark.parametrize(
    ("member", "document"),
    [
        ("Termination", {"CidrAllowedList": ["here"]}),
        ("Origination", {}),
    ],
)
def test_configurations_that_cannot_be_meant(
    desk: Desk, member: str, document: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest):
        desk.call(
            f"PutVoiceConnector{member}",
            VoiceConnectorId=desk.connector(),
            **{member: document},
        )


ROUTE = {"Host": "192.0.2.7", "Protocol": "TCP", "Priority": 1, "Weight": 1}
NETWORK, DNIS = "192.0.2.0/27", {"EmergencyPhoneNumber": "+12065550911", "CallingCountry": "US"}


@pytest.mark.parametrize(
    ("configuration", "member", "entry", "most"),
    [
        ("Origination", "Routes", ROUTE, 20),
        ("EmergencyCallingConfiguration", "DNIS", DNIS, 100),
        ("Termination", "CallingRegions", "US", 250),
        ("Termination", "CidrAllowedList", NETWORK, 1000),
    ],
)
def test_how_long_a_list_can_be(
    desk: Desk, configuration: str, member: str, entry: Any, most: int
) -> None:
    def put(entries: int) -> Any:
        return desk.call(
            f"PutVoiceConnector{configuration}",
            VoiceConnectorId=connector_id,
            **{configuration: {member: [entry] * entries}},
        )

    connector_id = desk.connector()
    assert len(put(most)[configuration][member]) == most
    with pytest.raises(BadRequest, match=f"at most {most} {member}, not {most + 1}"):
        put(most + 1)


def test_how_large_a_configuration_can_be(desk: Desk) -> None:
    with pytest.raises(BadRequest, match="at most 65536 characters"):
        desk.call(
            "PutVoiceConnectorOrigination",
            VoiceConnectorId=desk.connector(),
            Origination={"Routes": [{**ROUTE, "Host": "h" * 65_536}]},
        )


@pytest.mark.parametrize("member", ["Termination", "Origination"])
def test_emergency_calling_goes_before_what_it_needs(desk: Desk, member: str) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    emergency = "VoiceConnectorEmergencyCallingConfiguration"
    desk.call(f"Put{emergency}", **connector, EmergencyCallingConfiguration={})
    with pytest.raises(BadRequest, match="EmergencyCallingConfiguration"):
        desk.call(f"DeleteVoiceConnector{member}", **connector)
    desk.call(f"Delete{emergency}", **connector)
    desk.call(f"DeleteVoiceConnector{member}", **connector)


def test_credentials_show_names_only(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    operation = "VoiceConnectorTerminationCredentials"
    pairs = [{"Username": "a", "Password": "secret-a"}, {"Username": "b", "Password": "secret-b"}]
    for _ in range(2):
        desk.call(f"Put{operation}", **connector, Credentials=pairs)
    assert desk.call(f"List{operation}", **connector) == {"Usernames": ["a", "b"]}
    assert "secret-a" not in desk.ground.dump()
    desk.call(f"Delete{operation}", **connector, Usernames=["a", "x"])
    assert desk.call(f"List{operation}", **connector) == {"Usernames": ["b"]}
    with pytest.raises(BadRequest):
        desk.call(f"Put{operation}", **connector, Credentials=[{"Username": "c"}])


def test_credentials_are_put_and_deleted_a_thousand_at_a_time(desk: Desk) -> None:
    connector_id = {"VoiceConnectorId": desk.connector()}
    names = [str(number) for number in range(1001)]
    credentials = [{"Username": name, "Password": "p"} for name in names]
    for operation, many in (
        ("PutVoiceConnectorTerminationCredentials", {"Credentials": credentials}),
        ("DeleteVoiceConnectorTerminationCredentials", {"Usernames": names}),
    ):
        with pytest.raises(BadRequest, match="at most 1000"):
            desk.call(operation, **connector_id, **many)


def test_how_many_credentials_a_connector_can_have(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    operation = "VoiceConnectorTerminationCredentials"
    credentials = [{"Username": f"{name:03}", "Password": "p"} for name in range(101)]
    desk.call(f"Put{operation}", **connector, Credentials=credentials[:60])
    with pytest.raises(LimitExceeded, match="100 termination credentials"):
        desk.call(f"Put{operation}", **connector, Credentials=credentials[1:])
    assert len(desk.call(f"List{operation}", **connector)["Usernames"]) == 60
    desk.call(f"Put{operation}", **connector, Credentials=credentials[:100])
    for long in ({"Username": "u" * 257}, {"Password": "p" * 257}):
        with pytest.raises(BadRequest, match="at most 256 characters"):
            desk.call(f"Put{operation}", **connector, Credentials=[{**credentials[0], **long}])


def test_termination_health_is_of_a_termination(desk: Desk) -> None:
    connector = {"VoiceConnectorId": desk.connector()}
    with pytest.raises(NotFound):
        desk.call("GetVoiceConnectorTerminationHealth", **connector)
    desk.call("PutVoiceConnectorTermination", **connector, Termination={})
    ask = partial(desk.call, "GetVoiceConnectorTerminationHealth", **connector)
    assert ask() == {"TerminationHealth": {"Timestamp": None}}
    for state, checked in (("down", START + 9), ("up", START + 5), ("up", START + 3), ("up", None)):
        target = {"State": state, "CheckedTimestamp": checked}
        report = {"acme": {"State": state, "Targets": [target]}}
        put_carrier_reports(desk.context(), f"{state} {checked}", report)
    assert ask() == {"TerminationHealth": {"Timestamp": START + 5}}


def make_group(desk: Desk, *connectors: str) -> dict[str, Any]:
    items = [{"VoiceConnectorId": connector, "Priority": 2} for connector in connectors]
    answer = desk.call("CreateVoiceConnectorGroup", Name="g", VoiceConnectorItems=items)
    group: dict[str, Any] = answer["VoiceConnectorGroup"]
    return group


def named(group: dict[str, Any]) -> dict[str, Any]:
    return {"VoiceConnectorGroupId": group["VoiceConnectorGroupId"]}


def test_a_group(desk: Desk) -> None:
    first, second = desk.connector(), desk.connector()
    group = make_group(desk, first)
    group_id = group["VoiceConnectorGroupId"]
    assert group == {
        "VoiceConnectorGroupId": group_id,
        "Name": "g",
        "VoiceConnectorItems": [{"VoiceConnectorId": first, "Priority": 2}],
        "CreatedTimestamp": START,
        "UpdatedTimestamp": START,
        "VoiceConnectorGroupArn": f"arn:aws:chime:us-east-1:{desk.account_id}:vcg/{group_id}",
        "CallDistributionType": "PriorityWeightedDistribution",
    }
    assert desk.call("GetVoiceConnectorGroup", **named(group))["VoiceConnectorGroup"] == group
    assert desk.call("ListVoiceConnectorGroups")["VoiceConnectorGroups"] == [group]
    items = [{"VoiceConnectorId": second}, {"VoiceConnectorId": first}]
    changes = {"Name": "h", "VoiceConnectorItems": items}
    updated = desk.call("UpdateVoiceConnectorGroup", **named(group), **changes)
    shown = updated["VoiceConnectorGroup"]["VoiceConnectorItems"]
    assert shown == [{**item, "Priority": 1} for item in items]


def test_a_group_of_unknown_connectors_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFound, match="VoiceConnector with Id 'x'"):
        make_group(desk, "x")
    assert desk.call("ListVoiceConnectorGroups")["VoiceConnectorGroups"] == []


def test_a_group_names_a_connector_once(desk: Desk) -> None:
    connector_id = desk.connector()
    with pytest.raises(BadRequest, match="twice"):
        make_group(desk, connector_id, connector_id)
    assert desk.call("ListVoiceConnectorGroups")["VoiceConnectorGroups"] == []


def test_how_many_connectors_a_group_can_have(desk: Desk) -> None:
    connectors = [desk.connector() for _ in range(21)]
    group = make_group(desk, *connectors[1:])
    items = [{"VoiceConnectorId": each} for each in connectors]
    with pytest.raises(LimitExceeded, match="20 VoiceConnectors"):
        desk.call("UpdateVoiceConnectorGroup", **named(group), Name="g", VoiceConnectorItems=items)
    assert desk.call("GetVoiceConnectorGroup", **named(group))["VoiceConnectorGroup"] == group


def test_a_group_is_emptied_before_it_is_deleted(desk: Desk) -> None:
    group = make_group(desk, desk.connector())
    desk.import_numbers("+19135550199", shared=False)
    numbers = {**named(group), "E164PhoneNumbers": ["+19135550199"]}
    desk.call("AssociatePhoneNumbersWithVoiceConnectorGroup", **numbers)
    listed = desk.call(
        "ListPhoneNumbers",
        FilterName="VoiceConnectorGroupId",
        FilterValue=group["VoiceConnectorGroupId"],
    )
    (number,) = listed["PhoneNumbers"]
    assert number["Associations"][0]["Name"] == "VoiceConnectorGroupId"
    with pytest.raises(Conflict, match="Items"):
        desk.call("DeleteVoiceConnectorGroup", **named(group))
    desk.call("UpdateVoiceConnectorGroup", **named(group), Name="g", VoiceConnectorItems=[])
    with pytest.raises(Conflict, match="phone numbers"):
        desk.call("DeleteVoiceConnectorGroup", **named(group))
    desk.call("DisassociatePhoneNumbersFromVoiceConnectorGroup", **numbers)
    desk.call("DeleteVoiceConnectorGroup", **named(group))
    with pytest.raises(NotFound):
        desk.call("GetVoiceConnectorGroup", **named(group))


def test_tags_of_connectors_and_groups(desk: Desk) -> None:
    tags = [{"Key": "a", "Value": "1"}]
    made = desk.call("CreateVoiceConnector", Name="c", RequireEncryption=False, Tags=tags)
    connector = made["VoiceConnector"]
    arn = {"ResourceARN": connector["VoiceConnectorArn"]}
    assert desk.call("ListTagsForResource", **arn) == {"Tags": tags}
    more = [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    desk.call("TagResource", **arn, Tags=more)
    assert desk.call("ListTagsForResource", **arn) == {"Tags": more}
    desk.call("UntagResource", **arn, TagKeys=["a", "x"])
    assert desk.call("ListTagsForResource", **arn) == {"Tags": more[1:]}
    group = {"ResourceARN": make_group(desk)["VoiceConnectorGroupArn"]}
    desk.call("TagResource", **group, Tags=tags)
    assert desk.call("ListTagsForResource", **group) == {"Tags": tags}
    desk.call("DeleteVoiceConnector", VoiceConnectorId=connector["VoiceConnectorId"])
    with pytest.raises(NotFound):
        desk.call("ListTagsForResource", **arn)


@pytest.mark.parametrize("arn", ["arn", "arn:aws:chime:us-east-1:{}:vc/x", "arn:aws:s3:::b"])
def test_other_resources_have_no_tags(desk: Desk, arn: str) -> None:
    with pytest.raises(NotFound):
        desk.call("ListTagsForResource", ResourceARN=arn.format(desk.account_id))


def test_an_arn_of_another_region_is_another_resource(desk: Desk) -> None:
    made = desk.call("CreateVoiceConnector", Name="c", RequireEncryption=False)["VoiceConnector"]
    arn = made["VoiceConnectorArn"].replace("us-east-1", "eu-west-1")
    with pytest.raises(NotFound):
        desk.call("ListTagsForResource", ResourceARN=arn)


def test_a_resource_has_fifty_tags_at_most(desk: Desk) -> None:
    tags = [{"Key": str(number), "Value": ""} for number in range(50)]
    made = desk.call("CreateVoiceConnector", Name="c", RequireEncryption=False, Tags=tags)
    arn = made["VoiceConnector"]["VoiceConnectorArn"]
    with pytest.raises(LimitExceeded):
        desk.call("TagResource", ResourceARN=arn, Tags=[{"Key": "more", "Value": ""}])
    assert len(desk.call("ListTagsForResource", ResourceARN=arn)["Tags"]) == 50
