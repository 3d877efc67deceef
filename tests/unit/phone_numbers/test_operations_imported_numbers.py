"""What the operator brings in, sees, and takes out."""

from functools import partial

import pytest
from desk import ANN, BEN, CAT, Desk
from inventory import OTHERS, PROXY, SECOND, THIRD, details, errors

from maskline.domain.refusals import BadRequest, Forbidden


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
