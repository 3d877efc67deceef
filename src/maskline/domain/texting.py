"""What becomes of a text to one of our numbers: decided from facts, carried out elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass

from maskline.domain import e164
from maskline.domain.connector import TextRules
from maskline.domain.keywords import Keyword, keyword_of
from maskline.domain.message import Encoding
from maskline.domain.routing import Connect, Facts, Fallback, Reject, decide, is_barred
from maskline.domain.session import Capability


@dataclass(frozen=True)
class Forward:
    """Send it to `recipient` over `carrier`, showing `shown`."""

    recipient: str
    shown: str
    carrier: str


@dataclass(frozen=True)
class Refuse:
    """Do not forward it. `reply` is what its sender is told, if anything."""

    reason: str
    reply: str = ""


@dataclass(frozen=True)
class Heed:
    """It is a keyword, for us."""

    keyword: Keyword
    reply: str = ""


Treatment = Forward | Refuse | Heed

# What SIP says for the reasons of refusals; for others, that it is forbidden.
SIP_STATUSES = {
    **dict.fromkeys(("not-our-number", "unknown-caller", "session-closed"), 404),
    "rate-limited": 480,
    "too-many-parts": 480,
    "too-many-waiting": 480,
    "anonymous": 433,
    "no-carrier": 503,
}

# Reasons that are about the sender's own session, of which the sender may be told.
OF_THE_SESSION = ("session-closed", "sms-not-allowed")


@dataclass(frozen=True, kw_only=True)
class TextFacts:
    """What is known about a text when it is decided.

    `route` is what is known of the numbers, as for a call, but that no text goes to a fallback
    number. `from_proxy_number` tells whether the sender is in the inventory, `from_own_number`
    whether it is there as the account's that was written to. `stopped` tells whether the sender
    has said STOP to the number, `unwanted` whether the other side has, `is_empty` whether there is
    nothing to be told, `to_group` whether it went to others, too.
    """

    route: Facts
    text: str
    encoding: Encoding
    media: int
    is_empty: bool
    from_proxy_number: bool
    from_own_number: bool
    stopped: bool
    unwanted: bool
    to_group: bool
    rules: TextRules


def treat(facts: TextFacts, now: int) -> Treatment:
    """What to do with a text."""
    if facts.route.dialled not in facts.route.numbers:
        return forward(facts, now)
    if fault := fault_of_sender(facts):
        return Refuse(fault)
    if heeded := heed(facts):  # whatever came with the word
        return heeded
    if fault := fault_of_content(facts):
        return Refuse(fault)
    return forward(facts, now)


def forward(facts: TextFacts, now: int) -> Treatment:
    match decide(facts.route, Capability.SMS, now):
        case Reject() as no:
            reply = facts.rules.closed_reply if no.reason in OF_THE_SESSION else ""
            return Refuse(no.reason, reply)
        case Fallback():
            return Refuse("session-closed")
        case Connect() as yes:
            if facts.unwanted:
                return Refuse("opted-out")
            if facts.to_group:  # who answers to all may mean nobody of their own session
                return Refuse("group")
            return Forward(yes.called, yes.caller, yes.carrier)


def fault_of_sender(facts: TextFacts) -> str | None:
    """Senders that nobody could answer, and our own numbers, whose texts would go in circles. Of
    another account's number nobody is told that it is ours."""
    if facts.from_proxy_number:
        return "loop" if facts.from_own_number else "unknown-caller"
    if facts.route.caller is None:
        return "sender-not-a-number"
    if e164.is_emergency_or_short(facts.route.caller):
        return "short-code"
    return None


def fault_of_content(facts: TextFacts) -> str | None:
    if facts.encoding is Encoding.BINARY:
        return "not-a-text"
    if facts.is_empty:
        return "empty"
    if len(facts.text) > facts.rules.max_characters:
        return "too-long"
    if facts.media > facts.rules.max_media:
        return "too-many-media"
    return None


def heed(facts: TextFacts) -> Heed | None:
    """What is for us: STOP always, START to take it back, HELP where there is an answer to it.

    Those who never said STOP say yes to each other.
    """
    rules = facts.rules
    match keyword_of(facts.text, rules.keyword_languages):
        case Keyword.STOP:
            return Heed(Keyword.STOP, rules.stop_reply)
        case Keyword.START if facts.stopped:
            return Heed(Keyword.START, rules.start_reply)
        case Keyword.HELP if rules.help_reply:
            return Heed(Keyword.HELP, rules.help_reply)
        case _:
            return None


def sip_status(reason: str) -> int:
    """The SIP status of a text that was refused for that reason."""
    return SIP_STATUSES.get(reason, 403)


def may_be_answered(
    number: str | None, is_refused: Callable[[str], bool], barred_prefixes: tuple[str, ...]
) -> bool:
    """Whether we may ever text somebody of our own accord: a person, never a service, nor a number
    that nobody is connected to."""
    if number is None or e164.is_emergency_or_short(number):
        return False
    return not is_barred(number, is_refused, barred_prefixes)
