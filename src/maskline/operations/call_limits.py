"""How many calls a connector, a caller and a carrier may have, at once and a second."""

from dataclasses import replace
from typing import NamedTuple

from maskline.domain.limits import Underway
from maskline.domain.routing import NO_CARRIER, Connect, Decision, Fallback, Reject
from maskline.operations.context import Context, Policy
from maskline.operations.routes import Route, carrier_key, carrier_names, room_over

CALLER_BUSY = Reject(486, "too-many-calls")
# Without a time to wait, for which the carrier might keep back the calls of all other connectors,
# too (RFC 3261 21.5.4).
CONNECTOR_BUSY = Reject(503, "too-many-calls")


class Limit(NamedTuple):
    """How many more calls a connector, or a caller on it, may have, and how the next is refused."""

    room: int
    refusal: Reject


def within_limits(context: Context, route: Route, call_id: str, underway: Underway) -> Route:
    """The route, or the refusal of a call that would be one too many."""
    if isinstance(route.decision, Reject):
        return route
    decision = own_limit(context, route, call_id, underway) or over_free_carrier(
        context, route.decision, call_id, underway
    )
    if isinstance(decision, Reject):
        underway.free(call_id)
    return replace(route, decision=decision)


def own_limit(context: Context, route: Route, call_id: str, underway: Underway) -> Reject | None:
    """The refusal of a call that is one too many of its caller's or its connector's."""
    rules = route.rules
    key = f"{route.voice_connector_id} {route.caller}"
    if too_fast(context.policy, key, rules.max_calls_per_caller_per_second):
        return CALLER_BUSY
    limits = limits_of(context, route)
    full = underway.take(call_id, context.now, {key: limit.room for key, limit in limits.items()})
    if full is not None:
        return limits[full].refusal
    if too_fast(context.policy, route.voice_connector_id or "", rules.max_calls_per_second):
        return CONNECTOR_BUSY
    return None


def over_free_carrier(
    context: Context, decision: Connect | Fallback, call_id: str, underway: Underway
) -> Decision:
    """The decision for the first carrier that takes the call, and those after it."""
    names = carrier_names(decision)
    for place, name in enumerate(names):
        key, room = carrier_key(name), room_over(context, name)
        over = {} if room is None else {key: room}
        if underway.take(call_id, context.now, over) is not None:
            continue
        if too_fast(context.policy, key, context.policy.way(name).max_calls_per_second):
            underway.free(call_id, key)
            continue
        return replace(decision, carrier=name, others=names[place + 1 :])
    return NO_CARRIER


def too_fast(policy: Policy, key: str, most: int) -> bool:
    """Whether there were as many within the last second as there may be; this one counts if not."""
    return bool(policy.rate and most and not policy.rate.allows(key, most))


def limits_of(context: Context, route: Route) -> dict[str, Limit]:
    """What the store leaves free of the limits at once, by what is counted."""
    rules, connector = route.rules, route.voice_connector_id
    limits = {}
    if rules.max_calls_per_caller:
        room = rules.max_calls_per_caller - live_calls_of(context, route, caller=True)
        limits[f"caller {connector} {route.caller}"] = Limit(room, CALLER_BUSY)
    if rules.max_calls:
        room = rules.max_calls - live_calls_of(context, route)
        limits[f"connector {connector}"] = Limit(room, CONNECTOR_BUSY)
    return limits


def live_calls_of(context: Context, route: Route, *, caller: bool = False) -> int:
    """How many live calls the store knows of the connector, or of the caller on it."""
    connector = route.voice_connector_id
    if caller:
        found = context.tx.one(
            "count_live_calls_of_caller", voice_connector_id=connector, caller=route.caller
        )
    else:
        found = context.tx.one("count_live_calls_of_connector", voice_connector_id=connector)
    assert found is not None, connector
    calls: int = found["calls"]
    return calls


def count_call(policy: Policy, carrier: str) -> None:
    """Counts a call that another carrier takes than was decided."""
    too_fast(policy, carrier_key(carrier), policy.way(carrier).max_calls_per_second)
