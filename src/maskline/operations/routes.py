"""Which way a call goes: the facts gathered, the decision made, and shown."""

from dataclasses import dataclass, field, replace
from typing import Any

from maskline.domain import e164
from maskline.domain.connector import Rules, UnknownCaller
from maskline.domain.refusals import InvalidPhoneNumber
from maskline.domain.routing import NO_CARRIER, Connect, Decision, Facts, Fallback, Reject, decide
from maskline.domain.session import Capability, ProxySession
from maskline.operations import numbering
from maskline.operations.carriers import carriers_down
from maskline.operations.context import Answer, Context, Policy, Request
from maskline.store import Row, rows

UNENCRYPTED = Reject(403, "encryption-required")
LOOP = Reject(403, "loop")


@dataclass(frozen=True, kw_only=True)
class Route:
    """A decision, and whose call it was about. `unobtainable` tells that the number to be called is
    in the inventory, as another account's. It is not dialled, and nobody is told why."""

    decision: Decision
    unobtainable: bool = False
    caller: str | None
    dialled: str
    account_id: str | None
    voice_connector_id: str | None
    session: ProxySession | None
    rules: Rules


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the store tells about a caller and one of our numbers: `session` is the one for which
    the caller used the number last, running or not. The rules are those of its connector, or of the
    number's; so is the fallback number, which is of no use to a running session. `owners` are the
    accounts of those in the inventory among the numbers that may be called."""

    rules: Rules
    account_id: str | None = None
    voice_connector_id: str | None = None
    session: ProxySession | None = None
    carriers: dict[str, str] = field(default_factory=dict)
    fallback_number: str | None = None
    owners: dict[str, str] = field(default_factory=dict)


def evaluate_route(context: Context, request: Request) -> Answer:
    """What would become of a call or a text from Caller to Called, one of the account's numbers."""
    capability = Capability(request.get("Capability") or Capability.VOICE)
    caller, called = request["Caller"], request["Called"]
    down = {*context.policy.carriers_down, *carriers_down(context)}
    told = context._replace(policy=replace(context.policy, carriers_down=down))
    route = find_route(told, caller, called, context.account_id, capability)
    decision = route.decision
    if capability is Capability.SMS:
        decision = text_rules_apply(context, route)
    return {
        **shown(decision),
        "VoiceConnectorId": route.voice_connector_id,
        "ProxySessionId": route.session and route.session.proxy_session_id,
    }


def text_rules_apply(context: Context, route: Route) -> Decision:
    """The decision about a text, once what holds for texts alone is looked at."""
    caller, decision = route.caller, route.decision
    own = caller and context.tx.one("get_phone_number", phone_number=caller)
    if own and own["account_id"] == context.account_id:
        return LOOP
    if caller is not None and e164.is_emergency_or_short(caller):
        return Reject(403, "short-code")
    if isinstance(decision, Connect) and context.tx.one(
        "get_opt_out", participant=decision.called, proxy_number=decision.caller
    ):
        return Reject(403, "opted-out")
    return decision


def find_route(
    context: Context,
    caller: str,
    called: str,
    account_id: str = "",
    capability: Capability = Capability.VOICE,
) -> Route:
    """The decision about a call or a text. Only numbers of `account_id` are ours, if given."""
    text = capability is Capability.SMS
    caller_number, dialled = number_of(caller), number_of(called)
    known = what_is_known(context, caller_number, dialled, account_id)
    ends = caller_number, dialled or ""
    if text:
        facts = facts_of_text(context.policy, *ends, known.carriers, known.session)
    else:
        facts = facts_of_call(context, *ends, known)
    decision = decide(facts, capability, context.now)
    owner = None if isinstance(decision, Reject) else known.owners.get(decision.called)
    if owner is not None and owner == known.account_id:
        decision = LOOP
    elif not text and not isinstance(decision, Reject):
        decision = over_fitting_carriers(context, known.rules, decision)
    return Route(
        decision=decision,
        unobtainable=owner not in (None, known.account_id),
        caller=caller_number,
        dialled=dialled or called,
        account_id=known.account_id,
        voice_connector_id=known.voice_connector_id,
        session=known.session,
        rules=known.rules,
    )


def facts_of_call(context: Context, caller: str | None, dialled: str, known: Known) -> Facts:
    return Facts(
        caller=caller,
        dialled=dialled,
        numbers=known.carriers,
        session=known.session,
        fallback_number=known.fallback_number,
        unknown_caller=known.rules.unknown_caller,
        carriers_up=carriers_up(context),
        ways=context.policy.ways,
        barred_prefixes=context.policy.barred_prefixes,
        is_refused=numbering.is_refused,
    )


def facts_of_text(
    policy: Policy,
    sender: str | None,
    dialled: str,
    numbers: dict[str, str],
    session: ProxySession | None,
) -> Facts:
    """As of a call, but that no text goes to a fallback number, and that a carrier which is down
    for the moment will take it later."""
    return Facts(
        caller=sender,
        dialled=dialled,
        numbers=numbers,
        session=session,
        fallback_number=None,
        unknown_caller=UnknownCaller.REJECT,
        carriers_up=policy.text_carriers,
        barred_prefixes=policy.barred_prefixes,
        is_refused=numbering.is_refused,
    )


def over_fitting_carriers(context: Context, rules: Rules, decision: Connect | Fallback) -> Decision:
    """The decision about a call that may leave only by carriers that are not full and, where that
    is asked for, are reached encrypted."""
    policy, names = context.policy, carrier_names(decision)
    if rules.encrypted and policy.enforce_encryption:
        names = tuple(name for name in names if policy.way(name).encrypted)
        if not names:
            return UNENCRYPTED
    names = tuple(name for name in names if room_over(context, name) != 0)
    return replace(decision, carrier=names[0], others=names[1:]) if names else NO_CARRIER


def carrier_names(decision: Connect | Fallback) -> tuple[str, ...]:
    """The carriers that a call may leave by, the best first."""
    return (decision.carrier, *decision.others)


def carriers_up(context: Context) -> set[str]:
    up = set(context.policy.carriers) - set(context.policy.carriers_down)
    ways = context.policy.ways
    return {name for name in up if name not in ways or not is_fast(context, name)}


def is_fast(context: Context, carrier: str) -> bool:
    """Whether a carrier got as many calls in the last second as it takes."""
    rate, most = context.policy.rate, context.policy.ways[carrier].max_calls_per_second
    return bool(rate and most and rate.full(carrier_key(carrier), most))


def room_over(context: Context, carrier: str) -> int | None:
    """How many calls more a carrier takes, as far as the store knows; None: any number."""
    most = context.policy.way(carrier).max_calls
    if not most:
        return None
    live = context.tx.one("count_live_calls_over_carrier", carrier=carrier)
    return max(0, most - live["calls"]) if live else most


def carrier_key(carrier: str) -> str:
    """What a carrier's calls are counted by."""
    return f"carrier {carrier}"


def number_of(text: str) -> str | None:
    """The number in E.164 form, None for anything else: a withheld caller, a name."""
    try:
        return e164.normalise(text)
    except InvalidPhoneNumber:
        return None


def what_is_known(
    context: Context, caller: str | None, dialled: str | None, account_id: str = ""
) -> Known:
    """What the store tells about a caller and the number that was dialled."""
    row = context.tx.one("get_route", caller=caller, dialled=dialled) if dialled else None
    if row is None or account_id not in ("", row["number_account_id"]):
        return Known(rules=context.policy.rules)
    session = rows.proxy_session(row) if row["proxy_session_id"] else None
    running = session is not None and session.ended(context.now) is None
    return Known(
        rules=rows.rules(row, context.policy.rules),
        account_id=row["number_account_id"],
        voice_connector_id=row["connector_id"],
        session=session,
        carriers=carriers_of(row),
        fallback_number=None if running else row["fallback_number"],
        owners=owners_of(row),
    )


def owners_of(route: Row) -> dict[str, str]:
    """The accounts of the other participant and of the fallback number, if they are numbers in the
    inventory."""
    numbers = route["other_number"], route["fallback_number"]
    owners = route["other_account_id"], route["fallback_account_id"]
    return {number: owner for number, owner in zip(numbers, owners, strict=True) if owner}


def carriers_of(route: Row) -> dict[str, str]:
    """The carriers of the dialled number and of those that the session shows, as far as they are
    in service."""
    numbers = route["number"], route["first_proxy_number"], route["second_proxy_number"]
    carriers = route["number_carrier"], route["first_carrier"], route["second_carrier"]
    return {number: carrier for number, carrier in zip(numbers, carriers, strict=True) if carrier}


def rules_of(context: Context, connector_id: str) -> Rules:
    row = context.tx.one("get_connector_rules", voice_connector_id=connector_id)
    return rows.rules(row, context.policy.rules) if row else context.policy.rules


def shown(decision: Decision) -> dict[str, Any]:
    match decision:
        case Connect() | Fallback():
            return {
                "Decision": "Connect",
                "Reason": decision.reason,
                "Caller": decision.caller,
                "Called": decision.called,
                "CarrierName": decision.carrier,
            }
        case Reject():
            return {
                "Decision": "Reject",
                "Reason": decision.reason,
                "SipStatus": decision.sip_status,
                "RetryAfter": decision.retry_after,
            }
