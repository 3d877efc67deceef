"""A number rests: who had it with one person gets it with another only after a while."""

from dataclasses import replace
from typing import Any

import pytest
from desk import ANN, BEN, CAT, START, Desk, ids, proxies, proxy

from maskline.clock import DAY, MINUTE
from maskline.domain.connector import Rules
from maskline.domain.refusals import BadRequest, NoNumberFree, Unavailable
from maskline.operations import proxy_sessions, purge_sessions, settle_expired_sessions
from maskline.operations.context import Context
from maskline.operations.policy import policy_of
from maskline.settings import SettingsError, parse

DAN = "+15035550104"
ONE, TWO = "+19135550100", "+19135550101"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(ONE)
    return desk


def resting(desk: Desk, minutes: int = 60, **rules: Any) -> str:
    """A connector whose numbers rest."""
    connector = desk.connector()
    desk.rule(connector, NumberRestMinutes=minutes, **rules)
    return connector


def later(desk: Desk, milliseconds: int) -> None:
    desk.now += milliseconds


def refused(desk: Desk, connector: str, *pair: str, resting: int = 1, size: int = 1) -> bool:
    told = rf"numbers in the pool: {size}, resting for one of them: {resting}\."
    with pytest.raises(NoNumberFree, match=told):
        desk.open(connector, *pair)
    return True


@pytest.mark.parametrize("stranger", [(ANN, CAT), (CAT, BEN)])
def test_after_the_end_it_rests_to_the_millisecond(desk: Desk, stranger: tuple[str, str]) -> None:
    connector = resting(desk)
    desk.close(desk.open(connector, ANN, BEN))
    assert refused(desk, connector, *stranger)
    later(desk, 60 * MINUTE - 1)
    assert refused(desk, connector, *stranger)
    later(desk, 1)
    assert proxy(desk.open(connector, *stranger)) == ONE


def test_the_same_two_and_others_have_it_at_once(desk: Desk) -> None:
    connector = resting(desk)
    for pair in ((ANN, BEN), (BEN, ANN)):
        for behaviour in (None, "PreferSticky", "AvoidSticky"):
            session = desk.open(connector, *pair, NumberSelectionBehavior=behaviour)
            desk.close(session)
    assert proxy(desk.open(connector, CAT, DAN)) == ONE


def test_without_a_rest_it_is_free_at_once(desk: Desk) -> None:
    connector = desk.connector()
    desk.close(desk.open(connector, ANN, BEN))
    assert proxy(desk.open(connector, ANN, CAT)) == ONE


def test_it_rests_from_the_end_of_the_window_noted_or_not(desk: Desk) -> None:
    connector = resting(desk, 10)
    desk.open(connector, ANN, BEN, ExpiryMinutes=30)
    later(desk, 40 * MINUTE - 1)
    assert refused(desk, connector, ANN, CAT)
    assert settle_expired_sessions(desk.context("")) == 1
    assert refused(desk, connector, ANN, CAT)
    later(desk, 1)
    assert desk.open(connector, ANN, CAT)


@pytest.mark.parametrize("minutes", [5, 90])
def test_it_rests_from_the_end_of_a_window_that_was_moved(desk: Desk, minutes: int) -> None:
    connector = resting(desk, 10)
    session = desk.open(connector, ANN, BEN, ExpiryMinutes=30)
    later(desk, MINUTE)
    moved = {"Capabilities": ["Voice"], "ExpiryMinutes": minutes}
    desk.call("UpdateProxySession", **ids(session), **moved)
    desk.now = START + (1 + minutes + 10) * MINUTE - 1
    assert refused(desk, connector, ANN, CAT)
    later(desk, 1)
    assert desk.open(connector, ANN, CAT)


def test_a_deletion_after_the_end_does_not_begin_the_rest_again(desk: Desk) -> None:
    connector = resting(desk, 10)
    session = desk.open(connector, ANN, BEN, ExpiryMinutes=30)
    later(desk, 39 * MINUTE)
    desk.close(session)
    later(desk, MINUTE)
    assert desk.open(connector, ANN, CAT)


@pytest.mark.parametrize("before", [True, False])
def test_of_two_connectors_that_share_numbers_the_longer_rest_counts(
    desk: Desk, before: bool
) -> None:
    pair = [resting(desk, 60), resting(desk, 20)]
    first, second = pair if before else pair[::-1]
    desk.close(desk.open(first, ANN, BEN))
    later(desk, 60 * MINUTE - 1)
    assert refused(desk, second, ANN, CAT)
    later(desk, 1)
    assert desk.open(second, ANN, CAT)


@pytest.mark.parametrize(("own", "minutes"), [(None, 30), (0, 0), (10, 10)])
def test_a_connector_goes_by_the_setting_or_its_own_rule(
    desk: Desk, own: int | None, minutes: int
) -> None:
    settings = parse({"number_rest_minutes": 30})
    desk.policy = replace(desk.policy, rules=policy_of(settings).rules)
    connector = desk.connector()
    if own is not None:
        desk.rule(connector, NumberRestMinutes=own)
    desk.close(desk.open(connector, ANN, BEN))
    later(desk, minutes * MINUTE)
    assert desk.open(connector, ANN, CAT)


def test_a_rest_that_is_changed_holds_for_what_has_ended(desk: Desk) -> None:
    connector = resting(desk)
    desk.close(desk.open(connector, ANN, BEN))
    later(desk, 10 * MINUTE)
    desk.rule(connector, NumberRestMinutes=11)
    assert refused(desk, connector, ANN, CAT)
    desk.rule(connector, NumberRestMinutes=10)
    desk.close(desk.open(connector, ANN, CAT))
    desk.rule(connector)
    desk.policy = replace(desk.policy, rules=Rules(number_rest_minutes=1))
    assert refused(desk, connector, ANN, DAN)
    desk.policy = replace(desk.policy, rules=Rules())
    assert desk.open(connector, ANN, DAN)


def test_a_connector_that_is_gone_has_left_its_rest(desk: Desk) -> None:
    before, after = resting(desk), desk.connector()
    desk.close(desk.open(before, ANN, BEN))
    desk.call("DeleteVoiceConnector", VoiceConnectorId=before)
    assert refused(desk, after, ANN, CAT)


def test_the_last_session_counts(desk: Desk) -> None:
    """Ann had it with Cat by nobody's rest, and with Ben after that: to her it is Ben's."""
    connector = desk.connector()
    for other in (CAT, BEN):
        desk.close(desk.open(connector, ANN, other))
        later(desk, MINUTE)
    desk.rule(connector, NumberRestMinutes=60)
    assert refused(desk, connector, ANN, CAT)
    assert desk.open(connector, ANN, BEN)


def test_a_number_for_each_rests_for_each(desk: Desk) -> None:
    desk.import_numbers(TWO)
    connector = resting(desk, NumberAssignment="per_participant")
    for pair in ((ANN, CAT), (BEN, DAN)):
        desk.close(desk.open(connector, *pair))
    session = desk.open(connector, ANN, BEN)
    assert proxies(session) == {ANN: TWO, BEN: ONE}
    desk.close(session)
    assert refused(desk, connector, ANN, "+16045550103", resting=2, size=2)
    again = desk.open(connector, BEN, ANN, NumberSelectionBehavior="PreferSticky")
    assert proxies(again) == proxies(session)


def test_a_number_that_rests_is_not_the_pairs_again(desk: Desk) -> None:
    desk.import_numbers(TWO)
    connector = resting(desk)
    sticky = {"NumberSelectionBehavior": "PreferSticky"}
    first = desk.open(connector, ANN, BEN)
    desk.close(first)
    later(desk, 60 * MINUTE)
    desk.close(desk.open(connector, BEN, CAT, NumberSelectionBehavior=None))
    assert proxy(first) == ONE
    later(desk, 60 * MINUTE)
    other = desk.open(connector, BEN, CAT)
    assert proxy(other) == ONE
    desk.close(other)
    assert proxy(desk.open(connector, ANN, BEN, **sticky)) == TWO


def test_a_number_takes_no_rest_to_another_account(desk: Desk) -> None:
    connector = resting(desk)
    desk.close(desk.open(connector, ANN, BEN))
    desk.import_numbers(ONE, shared=False)
    later(desk, 1)
    desk.account_id = desk.tenant()
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [ONE]}
    desk.call("CreatePhoneNumberOrder", **order)
    after = resting(desk)
    desk.call(
        "AssociatePhoneNumbersWithVoiceConnector", VoiceConnectorId=after, E164PhoneNumbers=[ONE]
    )
    assert proxy(desk.open(after, ANN, CAT)) == ONE


@pytest.mark.parametrize("place", [0, 1])
def test_the_claim_itself_refuses(desk: Desk, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Whatever was found: two processes may have looked at once."""
    connector = resting(desk)
    desk.close(desk.open(connector, ANN, BEN))
    pair = [CAT, DAN]
    pair[place] = ANN

    def find(context: Context, wish: object) -> tuple[str, str]:
        return ONE, ONE

    monkeypatch.setattr(proxy_sessions, "assign_numbers", find)
    with pytest.raises(Unavailable, match="taken meanwhile"):
        desk.open(connector, *pair)
    assert desk.ground.sql("SELECT count(*) AS rows FROM proxy_sessions")[0]["rows"] == 1
    later(desk, 60 * MINUTE)
    assert desk.open(connector, *pair)


def test_what_is_known_of_a_closed_session_bounds_the_rest(desk: Desk) -> None:
    desk.policy = replace(desk.policy, closed_session_retention_days=1)
    with pytest.raises(BadRequest, match="at most 1440"):
        resting(desk, 1441)
    connector = resting(desk, 1440)
    desk.close(desk.open(connector, ANN, BEN))
    later(desk, DAY - 1)
    assert purge_sessions(desk.context("")) == 0
    assert refused(desk, connector, ANN, CAT)
    later(desk, 1)
    assert purge_sessions(desk.context("")) == 1
    assert desk.open(connector, ANN, CAT)
    with pytest.raises(SettingsError, match="number_rest_minutes: at most 1440"):
        parse({"number_rest_minutes": 1441, "closed_session_retention_days": 1})
    assert parse({"number_rest_minutes": 1440, "closed_session_retention_days": 1})
