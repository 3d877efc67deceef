"""Which way a call goes: the facts gathered, the decision made, and shown."""

from dataclasses import dataclass, replace
from typing import Any

from maskline.domain import e164
from maskline.domain.connector import Rules, UnknownCaller
from maskline.domain.refusals import InvalidPhoneNumber
from maskline.domain.routing import NO_CARRIER, Connect, Decision, Facts, Fallback, Reject, decide
from maskline.domain.session import Capability, ProxySession
from maskline.operations import numbering
from maskline.operations.carriers import carriers_down
from maskline.operations.context import Answer, Context, Request
from maskline.store import Row, rows

UNENCRYPTED = Reject(403, "encryption-required")


@dataclass(frozen=True, kw_only=True)
class Route:
    """A decision, and whose call it was about."""

    decision: Decision
    caller: str | None
    dialled: str
    account_id: str | None
    voice_connector_id: str | None
    session: ProxySession | None
    rules: Rules


def evaluate_route(context: Context, request: Request) -> Answer:
    """What would become of a call or a text from Caller to Called, one of the account's numbers."""
    capability = Capability(request.get("Capability") or Capability.VOICE)
    caller, called = request["Caller"], request["Called"]
    down = {*context.settings.carriers_down, *carriers_down(context)}
    told = context._replace(settings=replace(context.settings, carriers_down=down))
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
    if caller is not None and context.tx.one("get_phone_number", phone_number=caller):
        return Reject(403, "loop")
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
    """The decision about a call or a text. Only numbers of `account_id` are ours, if given.

    No text goes to a fallback number, and a carrier that is down for the moment will take it later.
    """
    text = capability is Capability.SMS
    caller_number, dialled = number_of(caller), number_of(called)
    number = number_in_service(context, dialled, account_id)
    session = latest_session(context, caller_number, number) if number else None
    connector_id = connector_of(number, session)
    rules = rules_of(context, connector_id)
    facts = Facts(
        caller=caller_number,
        dialled=dialled or "",
        numbers=carriers_of(context, number, session),
        session=session,
        fallback_number=None if text else fallback_of(context, connector_id, session),
        unknown_caller=UnknownCaller.REJECT if text else rules.unknown_caller,
        carriers_up=text_carriers(context) if text else carriers_up(context),
        ways={} if text else context.settings.ways,
        barred_prefixes=context.settings.barred_prefixes,
        is_premium=numbering.is_premium,
    )
    decision = decide(facts, capability, context.now)
    if not text and not isinstance(decision, Reject):
        decision = over_fitting_carriers(context, rules, decision)
    return Route(
        decision=decision,
        caller=caller_number,
        dialled=dialled or called,
        account_id=number["account_id"] if number else None,
        voice_connector_id=connector_id,
        session=session,
        rules=rules,
    )


def over_fitting_carriers(context: Context, rules: Rules, decision: Connect | Fallback) -> Decision:
    """The decision about a call that may leave only by carriers that are not full and, where that
    is asked for, are reached encrypted."""
    policy, names = context.settings, carrier_names(decision)
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
    up = set(context.settings.carriers) - set(context.settings.carriers_down)
    ways = context.settings.ways
    return {name for name in up if name not in ways or not is_fast(context, name)}


def is_fast(context: Context, carrier: str) -> bool:
    """Whether a carrier got as many calls in the last second as it takes."""
    rate, most = context.settings.rate, context.settings.ways[carrier].max_calls_per_second
    return bool(rate and most and rate.full(carrier_key(carrier), most))


def room_over(context: Context, carrier: str) -> int | None:
    """How many calls more a carrier takes, as far as the store knows; None: any number."""
    most = context.settings.way(carrier).max_calls
    if not most:
        return None
    live = context.tx.one("count_live_calls_over_carrier", carrier=carrier)
    return max(0, most - live["calls"]) if live else most


def carrier_key(carrier: str) -> str:
    """What a carrier's calls are counted by."""
    return f"carrier {carrier}"


def text_carriers(context: Context) -> set[str]:
    return set(context.settings.text_carriers)


def number_of(text: str) -> str | None:
    """The number in E.164 form, None for anything else: a withheld caller, a name."""
    try:
        return e164.normalise(text)
    except InvalidPhoneNumber:
        return None


def number_in_service(context: Context, number: str | None, account_id: str = "") -> Row | None:
    """The row of one of our numbers, unless it waits to be deleted or is another account's."""
    row = context.tx.one("get_phone_number", phone_number=number)
    if row is None or row["deleted_at"] is not None:
        return None
    return row if account_id in ("", row["account_id"]) else None


def latest_session(context: Context, caller: str | None, number: Row) -> ProxySession | None:
    """The session for which the caller used the number last, running or not."""
    claim = context.tx.one("get_claim", participant=caller, proxy_number=number["phone_number"])
    if claim is None:
        return None
    row = context.tx.one("get_proxy_session", proxy_session_id=claim["proxy_session_id"])
    if row is None or row["account_id"] != number["account_id"]:
        return None
    return rows.proxy_session(row)


def connector_of(number: Row | None, session: ProxySession | None) -> str | None:
    if session is not None:
        return session.voice_connector_id
    return number["voice_connector_id"] if number else None


def rules_of(context: Context, connector_id: str | None) -> Rules:
    row = connector_id and context.tx.one("get_connector_rules", voice_connector_id=connector_id)
    return rows.rules(row, context.settings.rules) if row else context.settings.rules


def carriers_of(
    context: Context, number: Row | None, session: ProxySession | None
) -> dict[str, str]:
    """The carriers of the dialled number and of those that the session shows."""
    if number is None:
        return {}
    carriers = {number["phone_number"]: number["carrier"]}
    for participant in session.participants if session else ():
        if participant.proxy_number not in carriers:
            row = number_in_service(context, participant.proxy_number)
            if row is not None:
                carriers[participant.proxy_number] = row["carrier"]
    return carriers


def fallback_of(
    context: Context, connector_id: str | None, session: ProxySession | None
) -> str | None:
    """The connector's fallback number; it is of no use to a running session."""
    if connector_id is None or (session is not None and session.ended(context.now) is None):
        return None
    row = context.tx.one("get_proxy_configuration", voice_connector_id=connector_id)
    return None if row is None else rows.proxy_configuration(row).fallback_number


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
