"""Which number a new session gets."""

from typing import Any

import pytest
from desk import ANN, BEN, CAT, Desk, proxies, proxy

from maskline.clock import DAY, MINUTE
from maskline.domain.refusals import NoNumberFree
from maskline.operations import assignment, purge_phone_numbers

SEATTLE, DENVER, VANCOUVER = "+12065550190", "+13035550190", "+16045550190"
NO_ERRORS: dict[str, Any] = {"PhoneNumberErrors": []}


@pytest.mark.parametrize(
    ("level", "params", "number"),
    [
        ("AreaCode", None, SEATTLE),
        (None, ("US", "303"), DENVER),
        (None, ("CA", ""), VANCOUVER),
        ("Country", ("CA", "303"), VANCOUVER),
    ],
)
def test_geo_wishes(
    desk: Desk, level: str | None, params: tuple[str, str] | None, number: str
) -> None:
    desk.import_numbers(DENVER, SEATTLE, VANCOUVER)
    wish: dict[str, Any] = {"GeoMatchLevel": level}
    if params is not None:
        wish["GeoMatchParams"] = {"Country": params[0], "AreaCode": params[1]}
    assert proxy(desk.open(desk.connector("US", "CA"), ANN, BEN, **wish)) == number


def test_a_geo_wish_is_a_preference(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER, VANCOUVER)
    connector = desk.connector("US", "CA")
    got = [proxy(desk.open(connector, ANN, BEN, GeoMatchLevel="AreaCode")) for _ in range(3)]
    assert got == [SEATTLE, DENVER, VANCOUVER]


def test_the_pools_countries_bound_every_wish(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, VANCOUVER)
    wish = {"Country": "CA", "AreaCode": "604"}
    assert proxy(desk.open(desk.connector("US"), ANN, BEN, GeoMatchParams=wish)) == SEATTLE


def test_a_number_used_before_rests_longest(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    first = desk.open(connector, ANN, BEN)
    second = desk.open(connector, ANN, CAT)
    desk.now += MINUTE
    desk.close(second)
    desk.now += MINUTE
    desk.close(first)
    desk.now += MINUTE
    assert proxy(desk.open(connector, ANN, BEN)) == proxy(second)


def test_sticky_takes_the_pairs_last_number(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    for _ in range(2):
        last = desk.open(connector, ANN, BEN)
        desk.now += MINUTE
        desk.close(last)
    again = desk.open(connector, BEN, ANN, NumberSelectionBehavior="PreferSticky")
    assert proxy(again) == proxy(last)
    other = desk.open(connector, BEN, ANN, NumberSelectionBehavior="PreferSticky")
    assert proxy(other) != proxy(last)


def test_what_a_pair_has_with_another_account_neither_helps_nor_shows(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    before = desk.open(connector, ANN, BEN)
    desk.now += MINUTE
    desk.close(before)
    ours, theirs = desk.account_id, desk.tenant()
    desk.import_numbers(VANCOUVER, AccountId=theirs)
    desk.account_id = theirs
    desk.open(desk.connector("CA"), ANN, BEN)
    desk.account_id, desk.now = ours, desk.now + MINUTE
    again = desk.open(connector, ANN, BEN, NumberSelectionBehavior="PreferSticky")
    assert proxy(again) == proxy(before)


def order(desk: Desk, *numbers: str) -> None:
    desk.call("CreatePhoneNumberOrder", ProductType="VoiceConnector", E164PhoneNumbers=numbers)


def connector_with(desk: Desk, *numbers: str) -> str:
    """A connector of the account's with these numbers of its own."""
    connector = desk.connector()
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": numbers}
    assert desk.call("AssociatePhoneNumbersWithVoiceConnector", **associated) == NO_ERRORS
    return connector


@pytest.mark.parametrize(
    ("behaviour", "number"), [("PreferSticky", DENVER), ("AvoidSticky", SEATTLE), (None, SEATTLE)]
)
def test_what_a_pair_did_with_a_number_of_another_account_is_forgotten(
    desk: Desk, behaviour: str | None, number: str
) -> None:
    desk.import_numbers(SEATTLE, DENVER, shared=False)
    before, after = desk.tenant(), desk.tenant()
    desk.account_id = before
    order(desk, SEATTLE)
    connector = connector_with(desk, SEATTLE)
    desk.close(desk.open(connector, ANN, BEN))
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": [SEATTLE]}
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **associated)
    desk.call("DeletePhoneNumber", PhoneNumberId=SEATTLE)
    desk.now += 7 * DAY
    assert purge_phone_numbers(desk.context("")) == 1
    desk.account_id = after
    order(desk, SEATTLE, DENVER)
    connector = connector_with(desk, SEATTLE, DENVER)
    if number == SEATTLE:  # the other one is to be the last that was handed out
        assert proxy(desk.open(connector, CAT, "+15035550104")) == DENVER
    wish = {"NumberSelectionBehavior": behaviour} if behaviour else {}
    assert proxy(desk.open(connector, ANN, BEN, **wish)) == number


def test_an_account_that_orders_its_own_number_knows_it_still(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER, shared=False)
    connector = connector_with(desk, SEATTLE)
    desk.close(desk.open(connector, ANN, BEN))
    desk.now += MINUTE
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": [SEATTLE]}
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **associated)
    order(desk, SEATTLE)
    assert desk.call("GetPhoneNumber", PhoneNumberId=SEATTLE)["PhoneNumber"]["OrderId"]
    connector = connector_with(desk, SEATTLE, DENVER)
    again = desk.open(connector, ANN, BEN, NumberSelectionBehavior="PreferSticky")
    assert proxy(again) == SEATTLE


def test_a_pairs_numbers_are_those_of_one_session(desk: Desk) -> None:
    """A number of the latest one has left the pool: the other is no use either."""
    numbers = [f"+1913555019{digit}" for digit in range(4)]
    _, both, gone, left = numbers
    desk.import_numbers(*numbers)
    connector = desk.connector()
    desk.rule(connector, NumberAssignment="per_participant")
    for hers, his in ((both, both), (gone, left)):
        desk.now += 1
        desk.tx.run(
            "remember_pair_numbers",
            first_number=ANN,
            first_proxy_number=hers,
            second_number=BEN,
            second_proxy_number=his,
            created_at=desk.now,
        )
    wish = {"NumberSelectionBehavior": "PreferSticky"}
    before = desk.open(connector, ANN, BEN, **wish)
    assert proxies(before) == {ANN: gone, BEN: left}
    desk.close(before)
    desk.call(
        "AssociatePhoneNumbersWithVoiceConnector",
        VoiceConnectorId=desk.connector(),
        E164PhoneNumbers=[gone],
    )
    assert proxies(desk.open(connector, ANN, BEN, **wish)) == {ANN: both, BEN: both}


def test_of_sessions_made_at_once_the_lowest_number_is_taken_again(desk: Desk) -> None:
    desk.import_numbers(DENVER, SEATTLE)
    connector = desk.connector()
    for session in [desk.open(connector, ANN, BEN) for _ in range(2)]:
        desk.close(session)
    desk.now += MINUTE
    for pair in ((ANN, BEN), (BEN, ANN)):
        session = desk.open(connector, *pair, NumberSelectionBehavior="PreferSticky")
        assert proxy(session) == SEATTLE
        desk.close(session)


def test_avoiding_takes_a_number_new_to_the_pair_while_there_is_one(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    got = []
    for _ in range(3):
        session = desk.open(connector, ANN, BEN, NumberSelectionBehavior="AvoidSticky")
        got.append(proxy(session))
        desk.now += MINUTE
        desk.close(session)
    assert set(got[:2]) == {SEATTLE, DENVER}
    assert got[2] == got[0]


def test_among_equals_the_least_busy_number_wins(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    desk.open(connector, ANN, BEN)
    desk.now += 1
    ended = desk.open(connector, ANN, BEN)
    desk.close(ended)
    # The other one was handed out longer ago, but has a session open.
    assert proxy(desk.open(connector, CAT, "+15035550104")) == proxy(ended)


def test_sessions_spread_evenly_over_the_pool(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    people = [f"+1503555{number:04}" for number in range(8)]
    for first, second in zip(people[::2], people[1::2], strict=True):
        desk.open(connector, first, second)
    counts = desk.ground.sql("SELECT open_sessions FROM phone_numbers")
    assert [row["open_sessions"] for row in counts] == [2, 2]


def test_own_numbers_come_before_shared_ones(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    desk.ground.sql(
        "UPDATE phone_numbers SET voice_connector_id = ? WHERE phone_number = ?",
        connector,
        DENVER,
    )
    assert proxy(desk.open(connector, ANN, BEN)) == DENVER
    assert proxy(desk.open(connector, ANN, BEN)) == SEATTLE
    assert proxy(desk.open(desk.connector(), CAT, "+15035550104")) == SEATTLE


def test_numbers_of_their_own_where_none_is_free_for_both(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    desk.rule(connector, NumberAssignment="per_participant")
    ann_has = proxy(desk.open(connector, ANN, CAT))
    ben_has = proxy(desk.open(connector, BEN, "+15035550104"))
    assert ann_has != ben_has
    session = desk.open(connector, ANN, BEN)
    assert proxies(session) == {ANN: ben_has, BEN: ann_has}
    desk.close(session)
    desk.now += MINUTE
    again = desk.open(connector, BEN, ANN, NumberSelectionBehavior="PreferSticky")
    assert proxies(again) == proxies(session)


def test_each_of_a_pair_needs_a_number(desk: Desk) -> None:
    """One that is free for one of them alone is none, whoever it is."""
    desk.import_numbers(SEATTLE)
    connector = desk.connector()
    desk.rule(connector, NumberAssignment="per_participant")
    desk.open(connector, ANN, CAT)
    for pair in ((ANN, BEN), (BEN, ANN)):
        with pytest.raises(NoNumberFree, match="numbers in the pool: 1"):
            desk.open(connector, *pair)


def test_a_pair_that_had_a_number_each_gets_one_where_that_is_the_rule(desk: Desk) -> None:
    desk.import_numbers(SEATTLE, DENVER)
    connector = desk.connector()
    desk.rule(connector, NumberAssignment="per_participant")
    others = [desk.open(connector, ANN, CAT), desk.open(connector, BEN, "+15035550104")]
    session = desk.open(connector, ANN, BEN)
    assert len(set(proxies(session).values())) == 2
    for one in (session, *others):
        desk.close(one)
    desk.now += MINUTE
    desk.rule(connector, NumberAssignment="shared")
    again = desk.open(connector, ANN, BEN, NumberSelectionBehavior="PreferSticky")
    assert len(set(proxies(again).values())) == 1


def test_somebody_who_used_more_than_the_window_still_gets_what_is_free(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "WINDOW", 2)
    numbers = [f"+1913555{number:04}" for number in range(12)]
    desk.import_numbers(*numbers)
    connector = desk.connector()
    open_now = []
    for place in range(12):
        desk.now += 1
        open_now.append(desk.open(connector, ANN, f"+1503555{place:04}"))
    assert {proxy(session) for session in open_now} == set(numbers)
    for session in (open_now[5], open_now[3]):
        desk.now += 1
        desk.close(session)
    assert proxy(desk.open(connector, ANN, BEN)) == proxy(open_now[5])
    assert proxy(desk.open(connector, ANN, BEN)) == proxy(open_now[3])
    with pytest.raises(NoNumberFree):
        desk.open(connector, ANN, BEN)
