"""What becomes of a call to one of our numbers: decided from facts, carried out elsewhere."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from maskline.domain import e164
from maskline.domain.connector import UnknownCaller
from maskline.domain.session import Capability, ProxySession
from maskline.domain.trunk import WayOut, ways_out

CARRIER_RETRY_SECONDS = 30


@dataclass(frozen=True)
class Connect:
    """Dial `called` over `carrier`, showing `caller`: the other participant of a session. `others`
    are carriers to try after it, in their order."""

    caller: str
    called: str
    carrier: str
    reason: str = "session"
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fallback:
    """Dial the connector's fallback number, showing the number that was dialled."""

    caller: str
    called: str
    carrier: str
    reason: str = "fallback"
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reject:
    """Answer with a SIP status; `reason` says why in one word, `retry_after` is in seconds."""

    sip_status: int
    reason: str
    retry_after: int | None = None


Decision = Connect | Fallback | Reject

NO_CARRIER = Reject(503, "no-carrier", CARRIER_RETRY_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known about a call when it is decided.

    `caller` and `dialled` are in E.164 form; `caller` is None when withheld. `session` is the
    latest session in which the caller used the dialled number, whether or not it still runs.
    `numbers` maps each of our numbers that matters to the carrier which delivers it. `is_refused`
    tells of a number that charges its caller, or leads elsewhere than it says.
    """

    caller: str | None
    dialled: str
    numbers: dict[str, str]
    session: ProxySession | None
    fallback_number: str | None
    unknown_caller: UnknownCaller
    carriers_up: Collection[str]
    ways: Mapping[str, WayOut] = field(default_factory=dict)
    barred_prefixes: tuple[str, ...] = ()
    is_refused: Callable[[str], bool] = e164.is_premium


def decide(facts: Facts, capability: Capability, now: int) -> Decision:
    """Whom to connect to, or why not. The same rule for every capability."""
    if facts.dialled not in facts.numbers:
        return Reject(404, "not-our-number")
    if facts.caller is None:
        return Reject(433, "anonymous")
    if facts.session is None:
        return unknown(facts)
    if facts.session.ended(now) is not None:
        return fallback(facts, "session-closed")
    if not facts.session.allows(capability):
        return Reject(403, f"{capability.value.lower()}-not-allowed")
    return to_other_participant(facts, facts.session, facts.caller)


def to_other_participant(facts: Facts, session: ProxySession, caller: str) -> Decision:
    _, other = session.sides(caller)
    if barred := never_dialled(facts, other.phone_number):
        return barred
    carriers = carriers_for(facts, other.proxy_number, other.phone_number)
    if not carriers:
        return NO_CARRIER
    return Connect(other.proxy_number, other.phone_number, carriers[0], others=tuple(carriers[1:]))


def never_dialled(facts: Facts, number: str) -> Reject | None:
    """The refusal of a number that nobody is connected to, whoever put it into a session."""
    if e164.is_emergency_or_short(number):
        return Reject(403, "emergency-number")
    if is_barred(number, facts.is_refused, facts.barred_prefixes):
        return Reject(403, "barred-number")
    return None


def is_barred(
    number: str, is_refused: Callable[[str], bool], barred_prefixes: tuple[str, ...]
) -> bool:
    """Whether a number is refused to all, or begins as the operator wants none to."""
    return is_refused(number) or number.startswith(barred_prefixes or ("-",))


def carriers_for(facts: Facts, shown: str, called: str) -> list[str]:
    """The carriers that can take a call now, the best first."""
    own = facts.numbers.get(shown)
    names = ways_out(own, called, facts.ways) if own is not None else []
    return [name for name in names if name in facts.carriers_up]


def unknown(facts: Facts) -> Decision:
    if facts.unknown_caller is UnknownCaller.FALLBACK:
        return fallback(facts, "unknown-caller")
    return Reject(404, "unknown-caller")


def fallback(facts: Facts, otherwise: str) -> Decision:
    """To the fallback number, if there is one that is not the caller's own."""
    number = facts.fallback_number
    if number is None or number == facts.caller:
        return Reject(404, otherwise)
    if barred := never_dialled(facts, number):
        return barred
    carriers = carriers_for(facts, facts.dialled, number)
    if not carriers:
        return NO_CARRIER
    return Fallback(facts.dialled, number, carriers[0], others=tuple(carriers[1:]))
