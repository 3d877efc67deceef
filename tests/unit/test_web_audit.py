"""Who changed what: every change leaves a record, and so does every refused attempt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from door import Door, tells_of

from maskline.domain.refusals import Conflict
from maskline.operations import TABLE, Context, Handler, find_access_key
from maskline.store import Row, Transaction

ANN, BEN, NUMBER = "+12065550100", "+14015550101", "+12065550198"
CONNECTOR = {"Name": "one", "RequireEncryption": False}
PROXY = {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"]}


@pytest.fixture
def door(tmp_path: Path, store_url: str) -> Iterator[Door]:
    opened = Door(tmp_path, store_url)
    yield opened
    opened.close()


def records(door: Door) -> list[dict[str, Any]]:
    """The records of the door's account, the oldest first."""
    found: list[dict[str, Any]] = door.ask("GET", "/admin/audit-records").content["AuditRecords"]
    return found[::-1]


def test_a_change_is_noted_with_who_and_what(door: Door) -> None:
    made = door.ask("POST", "/voice-connectors", CONNECTOR)
    connector = made.content["VoiceConnector"]
    path = f"/voice-connectors/{connector['VoiceConnectorId']}"
    put = door.ask("PUT", f"{path}/programmable-numbers/proxy", PROXY)
    deleted = door.ask("DELETE", path)
    about_it = connector["VoiceConnectorArn"]
    assert [
        (each["Action"], each.get("Resource"), each["RequestId"], each["Outcome"])
        for each in records(door)
    ] == [
        ("chime:CreateVoiceConnector", about_it, made.headers["x-amzn-requestid"], "Success"),
        ("chime:PutVoiceConnectorProxy", about_it, put.headers["x-amzn-requestid"], "Success"),
        ("chime:DeleteVoiceConnector", about_it, deleted.headers["x-amzn-requestid"], "Success"),
    ]
    assert {each["AccessKeyId"] for each in records(door)} == {door.key.id}


def test_a_record_says_what_was_changed_and_no_number(door: Door) -> None:
    numbers = {"CarrierName": "acme", "E164PhoneNumbers": [NUMBER], "Shared": True}
    door.ask("POST", "/admin/phone-numbers/import", numbers)
    door.ask("POST", f"/phone-numbers/{NUMBER}", {"Name": "desk"})
    key = door.ask("POST", "/admin/access-keys", {}).content["AccessKey"]
    door.ask("DELETE", f"/admin/access-keys/{key['AccessKeyId']}")
    group = door.ask("POST", "/voice-connector-groups", {"Name": "g"}).content[
        "VoiceConnectorGroup"
    ]
    door.ask("DELETE", f"/voice-connector-groups/{group['VoiceConnectorGroupId']}")
    door.ask("DELETE", f"/voice-connector-groups/{NUMBER}")
    about = [each.get("Resource") for each in records(door)]
    the_key = key_arn(key["AccessKeyId"])
    group_arn = group["VoiceConnectorGroupArn"]
    assert about == [None, None, the_key, the_key, group_arn, group_arn, None]
    assert NUMBER[1:] not in str(records(door))


def test_an_order_is_named(door: Door) -> None:
    numbers = {"CarrierName": "acme", "E164PhoneNumbers": [NUMBER]}
    door.ask("POST", "/admin/phone-numbers/import", numbers)
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [NUMBER]}
    made = door.ask("POST", "/phone-number-orders", order).content["PhoneNumberOrder"]
    resource = records(door)[-1]["Resource"]
    assert resource.endswith(f":phone-number-order/{made['PhoneNumberOrderId']}")


def test_the_account_that_is_made_or_gets_numbers_is_named(door: Door) -> None:
    account = door.ask("POST", "/admin/accounts", {"Name": "a"}).content["Account"]["AccountId"]
    numbers = {"AccountId": account, "E164PhoneNumbers": [NUMBER]}
    door.ask("POST", "/admin/phone-numbers/import", {**numbers, "CarrierName": "acme"})
    door.ask("POST", "/admin/phone-numbers/import", {**numbers, "CarrierName": "nobody"})
    door.ask("POST", "/admin/phone-numbers/remove", numbers)
    door.ask("POST", "/admin/phone-numbers/remove", {**numbers, "AccountId": "9" * 12})
    about = [(each["Outcome"], each.get("Resource")) for each in records(door)]
    arn = f"arn:aws:chime:::account/{account}"
    assert about == [
        ("Success", arn),
        ("Success", arn),
        ("BadRequestException", arn),
        ("Success", arn),
        ("NotFoundException", None),
    ]


def test_a_stranger_does_not_learn_which_accounts_and_keys_there_are(door: Door) -> None:
    made = door.ask("POST", "/admin/accounts", {"Name": "a"}).content
    stranger = door.new_key()
    numbers = {"AccountId": made["Account"]["AccountId"], "E164PhoneNumbers": [NUMBER]}
    for path, content in (
        ("/admin/phone-numbers/remove", numbers),
        (f"/admin/access-keys/{door.key.id}", {"Status": "Inactive"}),
    ):
        assert door.ask("POST", path, content, stranger).status in (403, 404)
    noted = door.ask("GET", "/admin/audit-records", key=stranger).content["AuditRecords"]
    assert [each.get("Resource") for each in noted] == [None, None]


def test_a_refused_change_names_what_is_there(door: Door) -> None:
    connector = door.ask("POST", "/voice-connectors", CONNECTOR).content["VoiceConnector"]
    items = [{"VoiceConnectorId": connector["VoiceConnectorId"], "Priority": 1}]
    content = {"Name": "g", "VoiceConnectorItems": items}
    group = door.ask("POST", "/voice-connector-groups", content).content["VoiceConnectorGroup"]
    arns = group["VoiceConnectorGroupArn"], connector["VoiceConnectorArn"]
    tag = {"ResourceARN": arns[0], "Tags": [{"Key": str(n), "Value": ""} for n in range(30)]}
    more = {**tag, "Tags": [{"Key": f"{n}x", "Value": ""} for n in range(30)]}
    refused = (
        ("DELETE", f"/voice-connector-groups/{group['VoiceConnectorGroupId']}", None, arns[0]),
        ("DELETE", f"/voice-connectors/{connector['VoiceConnectorId']}", None, arns[1]),
        ("DELETE", f"/admin/access-keys/{door.key.id}", None, key_arn(door.key.id)),
        ("POST", "/tags?operation=tag-resource", more, arns[0]),
    )
    assert door.ask("POST", "/tags?operation=tag-resource", tag).status == 204
    for method, path, content, arn in refused:
        reply = door.ask(method, path, content)
        record = records(door)[-1]
        assert record["Outcome"] == reply.error
        assert record["Resource"] == arn


def key_arn(access_key_id: str) -> str:
    return f"arn:aws:chime:::access-key/{access_key_id}"


def test_a_session_is_named_with_its_connector(door: Door) -> None:
    numbers = {"CarrierName": "acme", "E164PhoneNumbers": [NUMBER], "Shared": True}
    door.ask("POST", "/admin/phone-numbers/import", numbers)
    connector = door.ask("POST", "/voice-connectors", CONNECTOR).content["VoiceConnector"]
    path = f"/voice-connectors/{connector['VoiceConnectorId']}"
    door.ask("PUT", f"{path}/programmable-numbers/proxy", PROXY)
    session = {"ParticipantPhoneNumbers": [ANN, BEN], "Capabilities": ["Voice"]}
    made = door.ask("POST", f"{path}/proxy-sessions", session).content["ProxySession"]
    door.ask("DELETE", f"{path}/proxy-sessions/{made['ProxySessionId']}")
    arn = f"{connector['VoiceConnectorArn']}/proxy-session/{made['ProxySessionId']}"
    assert [each["Resource"] for each in records(door)[-2:]] == [arn, arn]
    assert not tells_of(records(door), ANN, BEN, NUMBER)


def test_reading_is_not_noted(door: Door) -> None:
    door.ask("GET", "/voice-connectors")
    door.ask("GET", f"/voice-connectors/{'a' * 22}")
    assert records(door) == []


def test_a_refused_change_is_noted_by_the_name_of_its_answer(door: Door) -> None:
    proxy = f"/voice-connectors/{'a' * 22}/programmable-numbers/proxy"
    reply = door.ask("PUT", proxy, PROXY)
    (record,) = records(door)
    assert record["Outcome"] == reply.error == "NotFoundException"
    assert "Resource" not in record


def test_a_key_that_may_not_is_noted(door: Door) -> None:
    made = door.ask("POST", "/admin/access-keys", {"Actions": ["chime:Get*"]}).content["AccessKey"]
    reader = type(door.key)(made["AccessKeyId"], made["SecretAccessKey"])
    reply = door.ask("POST", "/voice-connectors", CONNECTOR, reader)
    record = records(door)[-1]
    assert record["Outcome"] == reply.error == "AccessDeniedException"
    assert record["AccessKeyId"] == reader.id


def test_a_refused_change_leaves_the_note_and_nothing_else(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ("chime-sdk-voice", "CreateVoiceConnector")
    create = TABLE[name].function

    def change_then_refuse(context: Context, request: dict[str, Any]) -> dict[str, Any]:
        create(context, request)
        raise Conflict("not now")

    monkeypatch.setitem(TABLE, name, Handler(change_then_refuse, True))
    reply = door.ask("POST", "/voice-connectors", CONNECTOR)
    assert door.ask("GET", "/voice-connectors").content["VoiceConnectors"] == []
    assert [each["Outcome"] for each in records(door)] == [reply.error]


def test_what_is_beyond_a_keys_rate_leaves_no_record(tmp_path: Path, store_url: str) -> None:
    """Else who is refused would write as much as who is not."""

    def noted(tx: Transaction) -> list[Row]:
        key = find_access_key(tx, door.key.id)
        assert key is not None
        return tx.all("list_audit_records", account_id=key.account_id, before=2**62, limit=100)

    door = Door(tmp_path, store_url, max_requests_per_second=1)
    told = [door.ask("POST", "/voice-connectors", CONNECTOR).status for _ in range(20)]
    records = door.write(noted)
    door.close()
    assert {*told} == {201, 429}
    assert len(records) == told.count(201)
