"""The numbers of an account: what is shown of them, changed and deleted."""

from typing import Any

import pytest
from desk import ANN, BEN, CAT, START, Desk
from inventory import PROXY, SECOND, THIRD, details, errors

from maskline.clock import DAY, HOUR
from maskline.domain.refusals import BadRequest, NotFound
from maskline.domain.selection import Place
from maskline.domain.trunk import WayOut
from maskline.operations import Policy, purge_phone_numbers, settle_expired_sessions
from maskline.operations.numbering import place_of


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("+12065550100", Place("US", "206")),
        ("+16045550100", Place("CA", "604")),
        ("+18005550100", Place("US", "800")),
        ("+442079460000", Place("GB", "20")),
        ("+447700900123", Place("GB", "")),
        ("+33123456789", Place("FR", "1")),
    ],
)
def test_where_a_number_is_from(number: str, place: Place) -> None:
    assert place_of(number) == place


@pytest.mark.parametrize(
    ("text_carriers", "ways", "calls", "texts"),
    [
        ((), {}, True, False),
        (("acme",), {"acme": WayOut()}, True, True),
        (("acme",), {}, False, True),
    ],
)
def test_a_number_can_do_what_its_carrier_can(
    text_carriers: tuple[str, ...], ways: dict[str, WayOut], calls: bool, texts: bool
) -> None:
    desk = Desk(Policy(carriers=("acme",), text_carriers=text_carriers, ways=ways))
    desk.import_numbers(PROXY, shared=False)
    can = details(desk)["Capabilities"]
    assert (can["InboundCall"], can["OutboundCall"]) == (calls, calls)
    assert (can["InboundSMS"], can["OutboundSMS"]) == (texts, texts)


def test_a_number_in_the_inventory(desk: Desk) -> None:
    assert details(desk) == {
        "PhoneNumberId": "%2B19135550199",
        "E164PhoneNumber": PROXY,
        "PhoneNumberArn": f"arn:aws:chime:us-east-1:{desk.account_id}:phone-number/{PROXY}",
        "Country": "US",
        "Type": "Local",
        "ProductType": "VoiceConnector",
        "Status": "Unassigned",
        "Capabilities": {
            "InboundCall": True,
            "OutboundCall": True,
            "InboundSMS": False,
            "OutboundSMS": False,
            "InboundMMS": False,
            "OutboundMMS": False,
        },
        "Associations": [],
        "CallingName": None,
        "CallingNameStatus": "Unassigned",
        "CreatedTimestamp": START,
        "UpdatedTimestamp": START,
        "DeletionTimestamp": None,
        "OrderId": None,
        "Name": None,
    }


@pytest.mark.parametrize(
    "number_id", [PROXY, "19135550199", "%2B19135550199", "%252B19135550199", "%2b19135550199"]
)
def test_an_id_may_be_written_in_many_ways(desk: Desk, number_id: str) -> None:
    assert details(desk, number_id)["E164PhoneNumber"] == PROXY


def test_unknown_numbers_are_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound) as refusal:
        details(desk, SECOND)
    assert SECOND not in refusal.value.message
    desk.account_id = "999999999999"
    with pytest.raises(NotFound):
        details(desk)


def test_an_associated_number_serves_its_connector(desk: Desk) -> None:
    connector = desk.connector()
    request: dict[str, Any] = {"VoiceConnectorId": connector, "E164PhoneNumbers": [PROXY, SECOND]}
    answer = desk.call("AssociatePhoneNumbersWithVoiceConnector", **request)
    assert errors(answer) == {SECOND: "NotFound"}
    shown = details(desk)
    assert shown["Status"] == "Assigned"
    assert shown["Associations"] == [
        {"Value": connector, "Name": "VoiceConnectorId", "AssociatedTimestamp": START}
    ]
    session = desk.open(connector, ANN, BEN)
    answer = desk.call("DisassociatePhoneNumbersFromVoiceConnector", **request)
    assert errors(answer) == {SECOND: "NotFound"}
    assert details(desk)["Associations"] == []
    assert desk.dial(ANN, PROXY)["Decision"] == "Connect"
    with pytest.raises(BadRequest):
        desk.open(connector, ANN, "+15035550104")
    assert desk.get(session)["Status"] == "InProgress"


def test_an_associated_number_moves_only_by_force(desk: Desk) -> None:
    first, second = desk.connector(), desk.connector()

    def associate(connector: str, **more: Any) -> dict[str, str]:
        request = {"VoiceConnectorId": connector, "E164PhoneNumbers": [PROXY], **more}
        return errors(desk.call("AssociatePhoneNumbersWithVoiceConnector", **request))

    assert associate(first) == associate(first) == {}
    assert associate(second) == {PROXY: "Conflict"}
    assert associate(second, ForceAssociate=True) == {}
    request = {"VoiceConnectorId": first, "E164PhoneNumbers": [PROXY]}
    answer = desk.call("DisassociatePhoneNumbersFromVoiceConnector", **request)
    assert errors(answer) == {PROXY: "NotFound"}


def test_numbers_are_listed_by_what_they_are_for(desk: Desk) -> None:
    desk.import_numbers(SECOND, THIRD, shared=False)
    connector = desk.connector()
    desk.call(
        "AssociatePhoneNumbersWithVoiceConnector",
        VoiceConnectorId=connector,
        E164PhoneNumbers=[SECOND],
    )
    desk.call("DeletePhoneNumber", PhoneNumberId=THIRD)

    def listed(**request: Any) -> list[str]:
        found = desk.call("ListPhoneNumbers", **request)["PhoneNumbers"]
        return [each["E164PhoneNumber"] for each in found]

    assert listed() == sorted([PROXY, SECOND, THIRD])
    assert listed(FilterName="VoiceConnectorId", FilterValue=connector) == [SECOND]
    assert listed(Status="Unassigned") == [PROXY]
    assert listed(Status="ReleaseInProgress") == [THIRD]
    assert listed(ProductType="SipMediaApplicationDialIn") == []
    for wrong in (
        {"FilterName": "VoiceConnectorId"},
        {"FilterName": "SipRuleId", "FilterValue": ""},
    ):
        with pytest.raises(BadRequest):
            listed(**wrong)


def test_number_lists_come_by_pages(desk: Desk) -> None:
    desk.import_numbers(SECOND, THIRD)
    first = desk.call("ListPhoneNumbers", MaxResults=2)
    second = desk.call("ListPhoneNumbers", MaxResults=2, NextToken=first["NextToken"])
    assert len(first["PhoneNumbers"]) == 2
    assert len(second["PhoneNumbers"]) == 1
    assert "NextToken" not in second
    with pytest.raises(BadRequest):
        desk.call("ListPhoneNumbers", Status="Unassigned", NextToken=first["NextToken"])


def test_one_thing_about_a_number_changes_at_a_time(desk: Desk) -> None:
    def update(**changes: Any) -> dict[str, Any]:
        answer = desk.call("UpdatePhoneNumber", PhoneNumberId=PROXY, **changes)
        number: dict[str, Any] = answer["PhoneNumber"]
        return number

    assert update(Name="front desk")["Name"] == "front desk"
    shown = update(CallingName="Acme")
    assert (shown["Name"], shown["CallingName"]) == ("front desk", "Acme")
    assert shown["CallingNameStatus"] == "UpdateSucceeded"
    assert update(Name="")["Name"] is None
    wrongs: list[dict[str, str]] = [{}, {"Name": "a", "CallingName": "b"}]
    for wrong in wrongs:
        with pytest.raises(BadRequest):
            update(**wrong)
    assert update(ProductType="SipMediaApplicationDialIn")["ProductType"].startswith("Sip")


def test_a_deleted_number_can_be_restored_for_seven_days(desk: Desk) -> None:
    for _ in range(2):
        desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    shown = details(desk)
    assert (shown["Status"], shown["DeletionTimestamp"]) == ("ReleaseInProgress", START)
    desk.now += 7 * DAY - 1
    assert purge_phone_numbers(desk.context("")) == 0
    restored = desk.call("RestorePhoneNumber", PhoneNumberId=PROXY)["PhoneNumber"]
    assert (restored["Status"], restored["DeletionTimestamp"]) == ("Unassigned", None)
    with pytest.raises(BadRequest, match="not deleted"):
        desk.call("RestorePhoneNumber", PhoneNumberId=PROXY)
    desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    desk.now += 7 * DAY
    assert purge_phone_numbers(desk.context("")) == 1
    with pytest.raises(NotFound):
        details(desk)


def test_a_number_is_gone_after_seven_days_whether_or_not_anybody_noticed(desk: Desk) -> None:
    desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    desk.now += 7 * DAY
    for operation in ("GetPhoneNumber", "RestorePhoneNumber", "DeletePhoneNumber"):
        with pytest.raises(NotFound):
            desk.call(operation, PhoneNumberId=PROXY)
    assert PROXY not in str(desk.call("ListPhoneNumbers"))


def test_a_number_in_use_is_not_deleted(desk: Desk) -> None:
    connector = desk.connector()
    request = {"VoiceConnectorId": connector, "E164PhoneNumbers": [PROXY]}
    desk.call("AssociatePhoneNumbersWithVoiceConnector", **request)
    session = desk.open(connector, ANN, BEN)
    batch = {"PhoneNumberIds": [PROXY, SECOND]}
    refused = errors(desk.call("BatchDeletePhoneNumber", **batch))
    assert refused == {PROXY: "BadRequest", SECOND: "NotFound"}
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **request)
    with pytest.raises(BadRequest, match="open proxy sessions"):
        desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    desk.close(session)
    assert errors(desk.call("BatchDeletePhoneNumber", PhoneNumberIds=[PROXY])) == {}
    assert desk.dial(ANN, PROXY)["Reason"] == "not-our-number"


def taken(desk: Desk, what: str) -> bool:
    """Whether the number could be deleted, removed or ordered."""
    if what == "delete":
        return not errors(desk.call("BatchDeletePhoneNumber", PhoneNumberIds=[PROXY]))
    if what == "remove":
        return not errors(desk.maskline("RemovePhoneNumbers", E164PhoneNumbers=[PROXY]))
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY]}
    made = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
    done = desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=made["PhoneNumberOrderId"])
    return bool(done["PhoneNumberOrder"]["Status"] == "Successful")


@pytest.mark.parametrize("what", ["delete", "remove", "order"])
def test_an_expiry_frees_a_number_also_before_anybody_noted_it(desk: Desk, what: str) -> None:
    connector = desk.connector()
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": [PROXY]}
    desk.call("AssociatePhoneNumbersWithVoiceConnector", **associated)
    sessions = [desk.open(connector, ANN, BEN), desk.open(connector, CAT, "+15035550104")]
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **associated)
    desk.now += HOUR - 1
    assert desk.call("SearchAvailablePhoneNumbers")["E164PhoneNumbers"] == []
    assert not taken(desk, what)
    desk.now += 1
    assert desk.call("SearchAvailablePhoneNumbers")["E164PhoneNumbers"] == [PROXY]
    assert taken(desk, what)
    assert [desk.get(session)["Status"] for session in sessions] == ["Closed", "Closed"]
    # It is noted once, and counted once.
    assert settle_expired_sessions(desk.context("")) == 0
    assert desk.import_numbers(PROXY) == []
    (number,) = desk.maskline("ListImportedPhoneNumbers")["ImportedPhoneNumbers"]
    assert number["OpenSessions"] == 0


def test_who_is_alone_notes_the_end_of_sessions_and_holds_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand numbers may have any number of them, and PostgreSQL has only so many locks."""
    connector = desk.connector()
    desk.import_numbers(PROXY)
    desk.open(connector, ANN, BEN)
    desk.now += HOUR
    monkeypatch.setattr(desk.tx, "lock_free", pytest.fail, raising=False)
    assert taken(desk, "remove")


def test_the_accounts_calling_name_changes_once_a_week(desk: Desk) -> None:
    desk.call("UpdatePhoneNumberSettings", CallingName="Acme")
    shown = {"CallingName": "Acme", "CallingNameUpdatedTimestamp": START}
    assert desk.call("GetPhoneNumberSettings") == shown
    desk.now += 7 * DAY - 1
    with pytest.raises(BadRequest):
        desk.call("UpdatePhoneNumberSettings", CallingName="Bell")
    desk.now += 1
    desk.call("UpdatePhoneNumberSettings", CallingName="")
    assert desk.call("GetPhoneNumberSettings")["CallingName"] is None


def test_the_calling_name_that_an_account_has_is_no_change(desk: Desk) -> None:
    """AWS's own sample sends every request twice; and who clears what is empty changes nothing."""
    desk.call("UpdatePhoneNumberSettings", CallingName="")
    desk.call("UpdatePhoneNumberSettings", CallingName="Acme")
    desk.now += 7 * DAY - 1
    desk.call("UpdatePhoneNumberSettings", CallingName="Acme")
    assert desk.call("GetPhoneNumberSettings")["CallingNameUpdatedTimestamp"] == START
    desk.now += 1
    desk.call("UpdatePhoneNumberSettings", CallingName="Bell")
