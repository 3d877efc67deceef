import pytest
from desk import ANN, BEN, Desk

from maskline.domain.refusals import BadRequest
from maskline.domain.selection import Place
from maskline.operations.numbering import place_of

PROXY = "+19135550199"


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


def test_importing_again_changes_nothing_else() -> None:
    desk = Desk()
    desk.import_numbers(PROXY)
    session = desk.open(desk.connector(), ANN, BEN)
    assert desk.import_numbers(PROXY) == []
    assert desk.get(session) == session
    assert desk.dial(ANN, PROXY)["Decision"] == "Connect"


def test_a_number_no_longer_shared_serves_no_new_session() -> None:
    desk = Desk()
    desk.import_numbers(PROXY)
    desk.import_numbers(PROXY, shared=False)
    with pytest.raises(BadRequest, match="numbers in the pool: 0"):
        desk.open(desk.connector(), ANN, BEN)


def test_only_carriers_of_the_settings_deliver_numbers() -> None:
    with pytest.raises(BadRequest, match="No carrier is named 'nobody'"):
        Desk().maskline("ImportPhoneNumbers", CarrierName="nobody", E164PhoneNumbers=[PROXY])


def test_another_accounts_number_stays_theirs() -> None:
    desk = Desk()
    desk.import_numbers(PROXY)
    desk.account_id = "999999999999"
    (error,) = desk.import_numbers(PROXY)
    assert error["ErrorCode"] == "Conflict"


def test_a_participant_of_an_open_session_is_no_proxy_number() -> None:
    desk = Desk()
    desk.import_numbers(PROXY)
    session = desk.open(desk.connector(), ANN, BEN)
    (error,) = desk.import_numbers(ANN)
    assert error["ErrorCode"] == "Conflict"
    desk.close(session)
    assert desk.import_numbers(ANN) == []
