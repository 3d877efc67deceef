from dataclasses import replace
from typing import Any

import pytest

from maskline.domain.connector import UnknownCaller
from maskline.domain.routing import Connect, Decision, Facts, Fallback, Reject, decide
from maskline.domain.session import Capability, Participant, ProxySession
from maskline.domain.trunk import WayOut

ANN, BEN, EVE, FALLBACK = "+12065550100", "+14015550101", "+13035550102", "+16175550103"
PROXY, OTHER_PROXY = "+19135550199", "+19135550198"
NOW = 1_000_000

SESSION = ProxySession(
    proxy_session_id="s",
    voice_connector_id="c",
    name=None,
    expiry_minutes=60,
    capabilities=frozenset(Capability),
    participants=(
        Participant(phone_number=ANN, proxy_number=PROXY),
        Participant(phone_number=BEN, proxy_number=PROXY),
    ),
    created_at=0,
    expires_at=NOW + 1,
    ended_at=None,
)
FACTS = Facts(
    caller=ANN,
    dialled=PROXY,
    numbers={PROXY: "acme"},
    session=SESSION,
    fallback_number=None,
    unknown_caller=UnknownCaller.REJECT,
    carriers_up={"acme"},
)
WAYS = {"acme": WayOut(failover=("cell", "bell"))}
CLOSED = replace(SESSION, ended_at=NOW - 5)
TEXTS_ONLY = replace(SESSION, capabilities=frozenset({Capability.SMS}))


def decided(**changes: Any) -> Decision:
    return decide(replace(FACTS, **changes), Capability.VOICE, NOW)


def test_a_participant_reaches_the_other_one_and_shows_the_proxy_number() -> None:
    assert decided() == Connect(PROXY, BEN, "acme")
    assert decided(caller=BEN) == Connect(PROXY, ANN, "acme")


def test_the_called_participant_sees_their_own_proxy_number_over_its_carrier() -> None:
    ann, ben = SESSION.participants
    session = replace(SESSION, participants=(ann, replace(ben, proxy_number=OTHER_PROXY)))
    facts = {"session": session, "numbers": {PROXY: "acme", OTHER_PROXY: "bell"}}
    assert decided(**facts, carriers_up={"bell"}) == Connect(OTHER_PROXY, BEN, "bell")


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"numbers": {}}, 404, "not-our-number"),
        ({"numbers": {}, "caller": None, "session": None}, 404, "not-our-number"),
        ({"caller": None, "session": None}, 433, "anonymous"),
        ({"session": None}, 404, "unknown-caller"),
        ({"session": None, "unknown_caller": UnknownCaller.FALLBACK}, 404, "unknown-caller"),
        ({"session": None, "fallback_number": FALLBACK}, 404, "unknown-caller"),
        ({"session": CLOSED}, 404, "session-closed"),
        ({"session": replace(SESSION, expires_at=NOW)}, 404, "session-closed"),
        ({"session": CLOSED, "fallback_number": ANN}, 404, "session-closed"),
        ({"session": CLOSED, "fallback_number": "+911"}, 403, "emergency-number"),
        ({"session": TEXTS_ONLY}, 403, "voice-not-allowed"),
        ({"carriers_up": {"bell"}}, 503, "no-carrier"),
        ({"session": CLOSED, "fallback_number": FALLBACK, "carriers_up": ()}, 503, "no-carrier"),
    ],
)  # fmt: skip
def test_why_a_call_is_rejected(changes: dict[str, Any], status: int, reason: str) -> None:
    decision = decided(**changes)
    assert isinstance(decision, Reject)
    assert (decision.sip_status, decision.reason) == (status, reason)
    assert (decision.retry_after is None) == (status != 503)


def test_an_emergency_number_is_not_dialled_even_for_a_session() -> None:
    ann, ben = SESSION.participants
    session = replace(SESSION, participants=(ann, replace(ben, phone_number="+911")))
    assert decided(session=session) == Reject(403, "emergency-number")


def test_a_barred_or_premium_number_is_not_dialled_even_for_a_session() -> None:
    for bars in (
        {"barred_prefixes": ("+1999", BEN[:5])}, {"is_refused": lambda number: number == BEN}
    ):  # fmt: skip
        assert decided(**bars) == Reject(403, "barred-number")
        assert decided(**bars, caller=BEN) == Connect(PROXY, ANN, "acme")
        fallback = decided(**bars, session=CLOSED, fallback_number=BEN)
        assert fallback == Reject(403, "barred-number")
    assert decided(barred_prefixes=(BEN[-5:],)) == Connect(PROXY, BEN, "acme")


def test_the_other_carriers_that_can_take_a_call_are_told_in_their_order() -> None:
    facts = {"ways": WAYS, "carriers_up": {"acme", "bell", "cell"}}
    assert decided(**facts) == Connect(PROXY, BEN, "acme", others=("cell", "bell"))
    closed = decided(**facts, session=CLOSED, fallback_number=FALLBACK)
    assert closed == Fallback(PROXY, FALLBACK, "acme", others=("cell", "bell"))
    assert decided(ways=WAYS, carriers_up={"bell"}) == Connect(PROXY, BEN, "bell")


def test_a_former_participant_reaches_the_fallback_number() -> None:
    decision = decided(session=CLOSED, fallback_number=FALLBACK)
    assert decision == Fallback(PROXY, FALLBACK, "acme")


def test_an_unknown_caller_reaches_the_fallback_number_where_that_is_the_rule() -> None:
    decision = decided(
        session=None, fallback_number=FALLBACK, unknown_caller=UnknownCaller.FALLBACK
    )
    assert decision == Fallback(PROXY, FALLBACK, "acme")


def test_texts_go_by_the_same_rule() -> None:
    voice_only = replace(SESSION, capabilities=frozenset({Capability.VOICE}))
    assert decide(FACTS, Capability.SMS, NOW) == Connect(PROXY, BEN, "acme")
    facts = replace(FACTS, session=voice_only)
    assert decide(facts, Capability.SMS, NOW) == Reject(403, "sms-not-allowed")
