from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from desk import ANN, BEN, CAT, START, VOICE, Desk

from maskline.clock import DAY, HOUR
from maskline.domain.refusals import BadRequest, Forbidden, LimitExceeded, NotFound
from maskline.domain.selection import Place
from maskline.domain.trunk import WayOut
from maskline.operations import (
    Policy,
    pages,
    purge_phone_number_orders,
    purge_phone_numbers,
    settle_expired_sessions,
)
from maskline.operations.cities import spans_of
from maskline.operations.context import Quotas
from maskline.operations.numbering import place_of
from maskline.operations.phone_number_associations import owner_arns
from maskline.store import Row, Transaction

PROXY, SECOND, THIRD = "+19135550199", "+19135550198", "+19135550197"
OTHERS = "+19135550196"


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


def test_a_bad_number_hinders_no_other() -> None:
    desk = Desk()
    errors = desk.import_numbers("911", "+99912345678", PROXY)
    assert [(each["PhoneNumberId"], each["ErrorCode"]) for each in errors] == [
        ("911", "BadRequest"),
        ("+99912345678", "BadRequest"),
    ]
    assert desk.open(desk.connector(), ANN, BEN)


@pytest.mark.parametrize("number", ["+80012345678", "+80812345678", "+88812345678"])
def test_a_number_of_no_country_is_refused(number: str) -> None:
    desk = Desk()
    (error,) = desk.import_numbers(number, PROXY)
    assert (error["PhoneNumberId"], error["ErrorCode"]) == (number, "BadRequest")
    assert "no country" in error["ErrorMessage"]
    assert number not in error["ErrorMessage"]
    listed = desk.maskline("ListImportedPhoneNumbers")["ImportedPhoneNumbers"]
    assert [each["E164PhoneNumber"] for each in listed] == [PROXY]


def test_importing_again_changes_nothing_else() -> None:
    desk = Desk()
    desk.import_numbers(PROXY)
    session = desk.open(desk.connector(), ANN, BEN)
    assert desk.import_numbers(PROXY) == []
    assert desk.get(session) == session
    assert desk.dial(ANN, PROXY)["Decision"] == "Connect"


def test_importing_again_takes_a_number_out_of_the_deletion_queue(desk: Desk) -> None:
    desk.call("UpdatePhoneNumber", PhoneNumberId=PROXY, Name="ours")
    desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    assert desk.import_numbers(PROXY, shared=False) == []
    assert (details(desk)["Status"], details(desk)["Name"]) == ("Unassigned", "ours")


def test_a_number_no_longer_shared_serves_no_new_session() -> None:
    desk = Desk()
    desk.import_numbers(PROXY)
    desk.import_numbers(PROXY, shared=False)
    with pytest.raises(BadRequest, match=r"numbers in the pool: 0\. Import or order some"):
        desk.open(desk.connector(), ANN, BEN)


def test_only_carriers_of_the_settings_deliver_numbers() -> None:
    with pytest.raises(BadRequest, match="No carrier is named 'nobody'"):
        Desk().maskline("ImportPhoneNumbers", CarrierName="nobody", E164PhoneNumbers=[PROXY])


def test_another_accounts_number_stays_theirs() -> None:
    desk = Desk()
    desk.import_numbers(PROXY)
    tenant = desk.tenant()
    request = {"CarrierName": "acme", "E164PhoneNumbers": [PROXY, ANN], "AccountId": tenant}
    (error,) = desk.maskline("ImportPhoneNumbers", **request)["PhoneNumberErrors"]
    assert (error["PhoneNumberId"], error["ErrorCode"]) == (PROXY, "Conflict")
    desk.account_id = tenant
    numbers = desk.call("ListPhoneNumbers")["PhoneNumbers"]
    assert [number["E164PhoneNumber"] for number in numbers] == [ANN]
    with pytest.raises(Forbidden):
        desk.maskline("ImportPhoneNumbers", CarrierName="acme", E164PhoneNumbers=[BEN])


def test_no_account_hinders_the_import_of_a_number(desk: Desk) -> None:
    """What is imported is never dialled: see the calls to such numbers."""
    operator = desk.account_id
    tenant = desk.account_id = desk.tenant()
    connector = desk.connector(FallBackPhoneNumber=CAT)
    desk.account_id = operator
    desk.import_numbers(OTHERS, AccountId=tenant)
    desk.account_id = tenant
    desk.open(connector, ANN, BEN)
    desk.account_id = operator
    assert desk.import_numbers(ANN, CAT) == []
    assert desk.import_numbers(BEN, AccountId=tenant) == []


def test_no_answer_tells_whose_numbers_are_in_the_inventory_besides_ones_own(desk: Desk) -> None:
    desk.import_numbers(OTHERS, AccountId=desk.tenant())
    tenant = desk.tenant()
    desk.import_numbers(THIRD, AccountId=tenant)
    desk.account_id = tenant
    for number in (PROXY, OTHERS, CAT):  # the operator's, another account's, nobody's
        connector = desk.connector(FallBackPhoneNumber=number)
        session = desk.open(connector, ANN, number)
        assert {each["PhoneNumber"] for each in session["Participants"]} == {ANN, number}
        desk.close(session)
    with pytest.raises(BadRequest, match="proxy phone number itself"):
        desk.open(connector, ANN, THIRD)


def details(desk: Desk, number: str = PROXY) -> dict[str, Any]:
    answer: dict[str, Any] = desk.call("GetPhoneNumber", PhoneNumberId=number)["PhoneNumber"]
    return answer


def errors(answer: dict[str, Any]) -> dict[str, str]:
    """The code of each number that was refused."""
    return {each["PhoneNumberId"]: each["ErrorCode"] for each in answer["PhoneNumberErrors"]}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(PROXY, shared=False)
    return desk


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


def batches(desk: Desk, numbers: list[str]) -> Iterator[Callable[[], dict[str, Any]]]:
    """Operations on numbers that are imported, each of which can be done with all of them."""
    connector = {"VoiceConnectorId": desk.connector()}
    made = desk.call("CreateVoiceConnectorGroup", Name="g")["VoiceConnectorGroup"]
    group = {"VoiceConnectorGroupId": made["VoiceConnectorGroupId"]}
    named = {"E164PhoneNumbers": numbers}
    items = [{"PhoneNumberId": number, "Name": "desk"} for number in numbers]
    yield partial(desk.maskline, "ImportPhoneNumbers", CarrierName="acme", **named)
    yield partial(desk.call, "CreatePhoneNumberOrder", ProductType="VoiceConnector", **named)
    yield partial(desk.call, "BatchUpdatePhoneNumber", UpdatePhoneNumberRequestItems=items)
    yield partial(desk.call, "AssociatePhoneNumbersWithVoiceConnector", **connector, **named)
    forced = {**group, **named, "ForceAssociate": True}
    yield partial(desk.call, "AssociatePhoneNumbersWithVoiceConnectorGroup", **forced)
    yield lambda: {
        "Owners": [*owner_arns(desk.context(), forced)]
    }  # who may do that is asked first
    yield partial(desk.call, "DisassociatePhoneNumbersFromVoiceConnectorGroup", **group, **named)
    yield partial(desk.call, "BatchDeletePhoneNumber", PhoneNumberIds=numbers)
    yield partial(desk.maskline, "RemovePhoneNumbers", **named)


def test_a_batch_is_a_few_statements_however_many_numbers_it_names(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All others wait for it, and calls: a thousand took half a second one by one on PostgreSQL."""
    statements: list[str] = []

    def noting(carry_out: Callable[..., Any]) -> Callable[..., Any]:
        def noted(query: str, **parameters: Any) -> Any:
            statements.append(query)
            return carry_out(query, **parameters)

        return noted

    for name in ("one", "all", "run"):
        monkeypatch.setattr(desk.tx, name, noting(getattr(desk.tx, name)), raising=False)
    counts: list[list[int]] = []
    for numbers in ([PROXY], [SECOND, THIRD, OTHERS]):
        desk.import_numbers(*numbers, shared=False)
        counts.append([])
        for carry_out in batches(desk, numbers):
            statements.clear()
            assert not carry_out().get("PhoneNumberErrors")
            counts[-1].append(len(statements))
    assert counts[0] == counts[1]
    assert max(counts[0]) < 10


@pytest.mark.parametrize(
    ("operation", "again"),
    [
        ("AssociatePhoneNumbersWithVoiceConnector", None),
        ("DisassociatePhoneNumbersFromVoiceConnector", "not associated"),
        ("BatchDeletePhoneNumber", None),
        ("ImportPhoneNumbers", None),
        ("RemovePhoneNumbers", "not in the inventory"),
    ],
)
def test_a_number_named_twice_is_done_once_and_then_again(
    desk: Desk, operation: str, again: str | None
) -> None:
    """The second time it is what the first has made of it, as if it stood in another request."""
    connector = {"VoiceConnectorId": desk.connector()}
    named = {"E164PhoneNumbers": [PROXY, PROXY.removeprefix("+")]}
    request: dict[str, dict[str, Any]] = {
        "BatchDeletePhoneNumber": {"PhoneNumberIds": [PROXY, "%2B19135550199"]},
        "ImportPhoneNumbers": {"CarrierName": "acme", **named},
        "RemovePhoneNumbers": named,
    }
    if operation.startswith("Disassociate"):
        desk.call("AssociatePhoneNumbersWithVoiceConnector", **connector, **named)
    service = "maskline" if operation in ("ImportPhoneNumbers", "RemovePhoneNumbers") else VOICE
    answer = desk.carry_out(service, operation, request.get(operation, {**connector, **named}))
    told = [each["ErrorMessage"] for each in answer["PhoneNumberErrors"]]
    assert len(told) == (again is not None)
    assert all(str(again) in message for message in told)


def test_a_batch_of_updates(desk: Desk) -> None:
    items = [{"PhoneNumberId": PROXY, "Name": "a"}, {"PhoneNumberId": SECOND, "Name": "b"}]
    request: dict[str, Any] = {"UpdatePhoneNumberRequestItems": items}
    assert errors(desk.call("BatchUpdatePhoneNumber", **request)) == {SECOND: "NotFound"}
    assert details(desk)["Name"] == "a"
    items.append({"PhoneNumberId": "%2B19135550199", "Name": "c"})
    with pytest.raises(BadRequest, match="twice"):
        desk.call("BatchUpdatePhoneNumber", **request)
    items[:] = [{"PhoneNumberId": "nonsense", "Name": name} for name in "ab"]
    with pytest.raises(BadRequest, match="twice"):
        desk.call("BatchUpdatePhoneNumber", **request)


@pytest.mark.parametrize("operation", ["BatchUpdatePhoneNumber", "BatchDeletePhoneNumber"])
def test_an_id_that_is_none_is_named_and_hinders_no_other(desk: Desk, operation: str) -> None:
    def carry_out(*number_ids: str) -> dict[str, Any]:
        items = [{"PhoneNumberId": number_id, "Name": "a"} for number_id in number_ids]
        if operation == "BatchUpdatePhoneNumber":
            return desk.call(operation, UpdatePhoneNumberRequestItems=items)
        return desk.call(operation, PhoneNumberIds=[*number_ids])

    refused = carry_out("nonsense", PROXY)
    assert errors(refused) == {"nonsense": "BadRequest"}
    assert (details(desk)["Name"], details(desk)["Status"]) in [
        ("a", "Unassigned"),
        (None, "ReleaseInProgress"),
    ]


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


def test_what_an_account_gives_up_is_the_operators_again(desk: Desk) -> None:
    desk.import_numbers(THIRD)
    operator = desk.account_id
    desk.account_id = desk.tenant()
    search = partial(desk.call, "SearchAvailablePhoneNumbers")
    assert search()["E164PhoneNumbers"] == [PROXY]
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY, THIRD]}
    made = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
    done = desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=made["PhoneNumberOrderId"])
    outcome = {each["E164PhoneNumber"]: each["Status"] for each in
               done["PhoneNumberOrder"]["OrderedPhoneNumbers"]}  # fmt: skip
    assert outcome == {PROXY: "Acquired", THIRD: "Failed"}  # the operator shares the other
    assert search()["E164PhoneNumbers"] == []
    desk.call("UpdatePhoneNumber", PhoneNumberId=PROXY, Name="ours")
    desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    desk.now += 7 * DAY
    assert purge_phone_numbers(desk.context("")) == 1
    assert search()["E164PhoneNumbers"] == [PROXY]
    with pytest.raises(NotFound):
        desk.call("GetPhoneNumber", PhoneNumberId=PROXY)
    desk.account_id = operator
    assert desk.call("GetPhoneNumber", PhoneNumberId=PROXY)["PhoneNumber"]["Name"] is None


def test_an_account_takes_no_more_of_the_operators_numbers_than_its_quota(desk: Desk) -> None:
    desk.import_numbers(SECOND, THIRD, shared=False)
    desk.policy = replace(desk.policy, quotas=Quotas(phone_numbers=2))
    order = partial(desk.call, "CreatePhoneNumberOrder", ProductType="VoiceConnector")
    operator, desk.account_id = desk.account_id, desk.tenant()
    with pytest.raises(LimitExceeded, match="2 phone numbers"):
        order(E164PhoneNumbers=[PROXY, SECOND, THIRD])
    order(E164PhoneNumbers=[PROXY, SECOND])
    desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    with pytest.raises(LimitExceeded):  # else it could keep all in its queues
        order(E164PhoneNumbers=[THIRD])
    desk.now += 7 * DAY
    purge_phone_numbers(desk.context(""))
    order(E164PhoneNumbers=[THIRD])
    assert desk.call("SearchAvailablePhoneNumbers")["E164PhoneNumbers"] == [PROXY]
    desk.account_id = operator
    desk.import_numbers("+19135550194", "+19135550195", shared=False)
    order(E164PhoneNumbers=[PROXY, "+19135550194", "+19135550195"])


def test_a_number_that_sessions_still_use_cannot_be_ordered(desk: Desk) -> None:
    connector = desk.connector()
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": [PROXY]}
    desk.call("AssociatePhoneNumbersWithVoiceConnector", **associated)
    session = desk.open(connector, ANN, BEN)
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **associated)
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY]}
    for found, status in (([], "Failed"), ([PROXY], "Successful")):
        assert desk.call("SearchAvailablePhoneNumbers")["E164PhoneNumbers"] == found
        made = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
        done = desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=made["PhoneNumberOrderId"])
        assert done["PhoneNumberOrder"]["Status"] == status
        desk.close(desk.get(session))


def test_the_inventory_as_the_operator_sees_it(desk: Desk) -> None:
    (shown,) = desk.maskline("ListImportedPhoneNumbers")["ImportedPhoneNumbers"]
    assert (shown["E164PhoneNumber"], shown["CarrierName"], shown["Shared"]) == (
        PROXY,
        "acme",
        False,
    )
    other = {"CarrierName": "bell"}
    assert desk.maskline("ListImportedPhoneNumbers", **other)["ImportedPhoneNumbers"] == []
    desk.import_numbers(SECOND)
    page = desk.maskline("ListImportedPhoneNumbers", MaxResults=1)
    rest = desk.maskline("ListImportedPhoneNumbers", NextToken=page["NextToken"])
    found = page["ImportedPhoneNumbers"] + rest["ImportedPhoneNumbers"]
    assert [each["E164PhoneNumber"] for each in found] == sorted([PROXY, SECOND])


def test_the_operator_takes_numbers_out(desk: Desk) -> None:
    desk.import_numbers(PROXY)  # shared now
    connector = desk.connector()
    session = desk.open(connector, ANN, BEN)
    remove = partial(desk.maskline, "RemovePhoneNumbers", E164PhoneNumbers=[PROXY, SECOND])
    assert errors(remove()) == {PROXY: "Conflict", SECOND: "NotFound"}
    desk.close(session)
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": [PROXY]}
    desk.call("AssociatePhoneNumbersWithVoiceConnector", **associated)
    assert errors(remove())[PROXY] == "Conflict"
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **associated)
    assert errors(remove()) == {SECOND: "NotFound"}
    assert desk.maskline("ListImportedPhoneNumbers")["ImportedPhoneNumbers"] == []
    desk.account_id = desk.tenant()
    with pytest.raises(Forbidden):
        remove()


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


def test_an_ordered_number_is_for_voice_connectors_and_has_nothing_of_the_operator(
    desk: Desk,
) -> None:
    desk.import_numbers(PROXY, shared=False)
    for change in ({"CallingName": "Operator"}, {"ProductType": "SipMediaApplicationDialIn"}):
        desk.call("UpdatePhoneNumber", PhoneNumberId=PROXY, **change)
    desk.account_id = desk.tenant()
    desk.call("CreatePhoneNumberOrder", ProductType="VoiceConnector", E164PhoneNumbers=[PROXY])
    number = desk.call("GetPhoneNumber", PhoneNumberId=PROXY)["PhoneNumber"]
    assert (number["ProductType"], number["CallingName"]) == ("VoiceConnector", None)
    answer = desk.call(
        "AssociatePhoneNumbersWithVoiceConnector",
        VoiceConnectorId=desk.connector(),
        E164PhoneNumbers=[PROXY],
    )
    assert answer == {"PhoneNumberErrors": []}


@pytest.mark.parametrize("name", ["mine", "", None])
def test_an_ordered_number_has_the_orders_name(desk: Desk, name: str | None) -> None:
    request: dict[str, Any] = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY]}
    desk.call("CreatePhoneNumberOrder", **request, Name=name)
    assert details(desk)["Name"] == (name or None)


def test_no_product_but_ours_has_countries(desk: Desk) -> None:
    request = {"ProductType": "SipMediaApplicationDialIn"}
    assert desk.call("ListSupportedPhoneNumberCountries", **request) == {"PhoneNumberCountries": []}


def test_an_order_takes_what_is_there_to_be_had(desk: Desk) -> None:
    desk.import_numbers(SECOND)
    assert desk.call("SearchAvailablePhoneNumbers") == {"E164PhoneNumbers": [PROXY]}

    def order(*numbers: str) -> dict[str, Any]:
        request = {"ProductType": "VoiceConnector", "E164PhoneNumbers": list(numbers)}
        made = desk.call("CreatePhoneNumberOrder", **request)["PhoneNumberOrder"]
        assert made["Status"] == "Processing"
        answer = desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=made["PhoneNumberOrderId"])
        found: dict[str, Any] = answer["PhoneNumberOrder"]
        return found

    partial = order(PROXY, SECOND)
    assert partial["Status"] == "Partial"
    assert [each["Status"] for each in partial["OrderedPhoneNumbers"]] == ["Acquired", "Failed"]
    assert details(desk)["OrderId"] == partial["PhoneNumberOrderId"]
    assert desk.call("SearchAvailablePhoneNumbers") == {"E164PhoneNumbers": []}
    failed = order(PROXY)
    assert failed["Status"] == "Failed"
    desk.import_numbers(THIRD, shared=False)
    assert order(THIRD)["Status"] == "Successful"
    listed = desk.call("ListPhoneNumberOrders", MaxResults=2)
    assert len(listed["PhoneNumberOrders"]) == 2
    assert listed["PhoneNumberOrders"][1] == failed
    with pytest.raises(NotFound):
        desk.call("GetPhoneNumberOrder", PhoneNumberOrderId="x")
    request: dict[str, Any] = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [THIRD]}
    wrongs: list[dict[str, Any]] = [
        {"ProductType": "SipMediaApplicationDialIn"},
        {"E164PhoneNumbers": []},
    ]
    for wrong in wrongs:
        with pytest.raises(BadRequest):
            desk.call("CreatePhoneNumberOrder", **(request | wrong))


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({"AreaCode": "913"}, [PROXY]),
        ({"Country": "GB"}, ["+442079460000"]),
        ({"Country": "US", "AreaCode": "914"}, []),
        ({"TollFreePrefix": "888"}, ["+18882345678"]),
        ({"PhoneNumberType": "TollFree"}, ["+18882345678"]),
        ({"PhoneNumberType": "Local", "Country": "US"}, [PROXY]),
        ({"State": "KS"}, [PROXY]),
        ({"State": "KS", "PhoneNumberType": "TollFree"}, []),
        ({"State": "KS", "City": "Topeka"}, []),
        ({"State": "ny", "City": "NEW YORK"}, []),
        ({"State": "", "City": "", "AreaCode": "913"}, [PROXY]),
    ],
)
def test_searching(desk: Desk, criteria: dict[str, str], found: list[str]) -> None:
    desk.import_numbers("+18882345678", "+442079460000", shared=False)
    assert desk.call("SearchAvailablePhoneNumbers", **criteria)["E164PhoneNumbers"] == found


@pytest.mark.parametrize(
    ("criteria", "told"),
    [
        ({"City": "Seattle"}, "State"),
        ({"State": "Washington"}, "two letters"),
        ({"State": "PR"}, "two letters"),
    ],
)
def test_a_search_that_cannot_be_done_is_refused(
    desk: Desk, criteria: dict[str, str], told: str
) -> None:
    with pytest.raises(BadRequest, match=told):
        desk.call("SearchAvailablePhoneNumbers", **criteria)


def test_a_search_by_city_takes_pages_over_all_its_codes(desk: Desk) -> None:
    inside = [f"+1{code}5550{last}" for code in (212, 332) for last in range(100, 130)]
    outside = [f"+1{code}5550{last}" for code in (213, 315, 333) for last in range(100, 130)]
    desk.import_numbers(*inside, *outside, shared=False)
    criteria: dict[str, Any] = {"City": "New York", "State": "NY", "MaxResults": 7}
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = desk.call("SearchAvailablePhoneNumbers", **criteria, **token)
        found += page["E164PhoneNumbers"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == inside


class Counted:
    """A transaction of which the queries for lists, and the rows that they gave, are counted."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.queries = self.rows = 0

    def all(self, name: str, **parameters: Any) -> Sequence[Row]:
        found = self.tx.all(name, **parameters)
        self.queries += 1
        self.rows += len(found)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tx, name)


def test_a_search_by_city_reads_no_more_than_it_shows(desk: Desk) -> None:
    """Topeka's numbers begin with 785 and 215, 228, 232 to 235, and so on up to 862."""
    inside = [f"+1785{office}0{last}" for office in (215, 235, 862) for last in range(100, 110)]
    outside = [f"+1785{office}0{last}" for office in (216, 236, 861) for last in range(100, 180)]
    desk.import_numbers(*inside, *outside, shared=False)
    counted = desk.tx = Counted(desk.tx)  # type: ignore[assignment]
    criteria = {"City": "Topeka", "State": "KS"}
    assert desk.call("SearchAvailablePhoneNumbers", **criteria)["E164PhoneNumbers"] == inside
    assert counted.queries <= 2 * len(spans_of("KS", "Topeka"))
    assert counted.rows <= len(inside) + counted.queries / 2
    counted.queries = 0
    criteria["City"] = "Houston"
    assert desk.call("SearchAvailablePhoneNumbers", **criteria | {"State": "TX"}) == {
        "E164PhoneNumbers": []
    }
    assert counted.queries <= 4 < len(spans_of("TX", "Houston"))


def test_the_countries_of_the_inventory(desk: Desk) -> None:
    desk.import_numbers("+18882345678", "+442079460000", shared=False)
    answer = desk.call("ListSupportedPhoneNumberCountries", ProductType="VoiceConnector")
    assert answer["PhoneNumberCountries"] == [
        {"CountryCode": "GB", "SupportedPhoneNumberTypes": ["Local"]},
        {"CountryCode": "US", "SupportedPhoneNumberTypes": ["Local", "TollFree"]},
    ]


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


def test_orders_of_many_numbers_come_on_more_pages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred orders of a thousand numbers each took a third of a second, and five megabytes."""
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY, OTHERS]}
    made = [desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"] for _ in range(5)]
    monkeypatch.setattr(pages, "MOST_CHARACTERS", 120)
    found, token, lengths = [], None, []
    while token or not lengths:
        page = desk.call("ListPhoneNumberOrders", NextToken=token)
        found += [each["PhoneNumberOrderId"] for each in page["PhoneNumberOrders"]]
        lengths.append(len(page["PhoneNumberOrders"]))
        token = page.get("NextToken")
    assert found == [each["PhoneNumberOrderId"] for each in reversed(made)]
    assert lengths == [2, 2, 1]


def test_orders_are_purged_with_the_audit_records_of_their_time(desk: Desk) -> None:
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY]}
    old = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
    desk.now += 1
    new = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
    desk.now = START + 365 * DAY - 1
    assert purge_phone_number_orders(desk.context("")) == 0
    desk.now += 1
    assert purge_phone_number_orders(desk.context("")) == 1
    assert purge_phone_number_orders(desk.context("")) == 0
    left = desk.call("ListPhoneNumberOrders")["PhoneNumberOrders"]
    assert [each["PhoneNumberOrderId"] for each in left] == [new["PhoneNumberOrderId"]]
    with pytest.raises(NotFound):
        desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=old["PhoneNumberOrderId"])
    assert details(desk)["PhoneNumberId"]
