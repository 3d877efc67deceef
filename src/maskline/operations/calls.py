"""Calls: routed, and followed to their end."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import NamedTuple

from maskline.domain.call import LOST_STATUS, Call, CallEvent, Happening, Party, apply
from maskline.domain.causes import FAILURE
from maskline.domain.limits import Underway
from maskline.domain.refusals import NotFound
from maskline.domain.routing import Connect, Fallback, Reject
from maskline.operations import numbering, routes
from maskline.operations.batches import listed
from maskline.operations.call_limits import within_limits
from maskline.operations.context import Answer, Context, Request
from maskline.operations.legs_left import LEFT_ALONE, UNREACHED, Leg, leave_legs
from maskline.operations.routes import Route, find_route
from maskline.store import rows

# How long to wait before an unanswered hang-up is tried again, and how many to try at once.
HANG_UP_AGAIN = 10_000
CANCEL_AGAIN = 1_000  # a call that rings may be answered meanwhile
HANG_UPS_AT_ONCE = 100

# How long after the latest end that a call can have its record is given up waiting for.
LOST_AFTER = 600_000

HUNG_UP = 200  # the status of a call that ended by a BYE

UNOBTAINABLE = Reject(404, "unobtainable")


def route_call(context: Context, request: Request) -> Answer:
    """Decides a call that has arrived, and opens its record."""
    answer, call = decide_call(context, request)
    open_record(context, call)
    return answer


def decide_call(
    context: Context, request: Request, underway: Underway | None = None
) -> tuple[Answer, Call]:
    """The decision about a call that has arrived, and the record that is to be saved of it.
    `underway` are the calls whose records are to be saved still."""
    way = context.policy.way(request["CarrierName"])
    caller, called = (numbering.read_from(request[name], way) for name in ("Caller", "Called"))
    route = find_route(context, caller, called)
    if request.get("Plain") or not way.encrypted:
        route = safe_to_connect(context, route)
    call_id, underway = context.new_id(), underway or Underway()
    try:
        route = within_limits(context, route, call_id, underway)
        call = record_of(context, request["CarrierName"], route, call_id)
        if route.unobtainable and call.ended_at is None:
            return {"CallId": call_id, **routes.shown(UNOBTAINABLE)}, unobtainable(call)
        return answer_to(context, request, route, call), call
    except Exception:
        underway.free(call_id)  # it may be decided anew, as another call
        raise


def unobtainable(call: Call) -> Call:
    """The record of a call to a number that is another account's: as if its carrier had said that
    nobody has the number."""
    return apply(call, end_by(Party.CARRIER, call.received_at, UNOBTAINABLE.sip_status))


def answer_to(context: Context, request: Request, route: Route, call: Call) -> Answer:
    """What whoever carries the call is told."""
    answer = {"CallId": call.call_id, **routes.shown(route.decision)}
    if isinstance(route.decision, Reject):
        silent = request.get("Silent")
        answer["Announcement"] = None if silent else announcement(context, route.decision)
    else:
        answer["Targets"] = [
            way_for(context, route.decision, name) for name in routes.carrier_names(route.decision)
        ]
        if call.recorded:
            answer["Recorded"] = True
        answer["MaxRingSeconds"] = route.rules.max_ring_seconds
        answer["MaxCallSeconds"] = route.rules.max_call_seconds
    return answer


def announcement(context: Context, refusal: Reject) -> str | None:
    """The sound file that the caller hears before the refusal, where there is one and a place."""
    found, places = context.policy.announcements.get(refusal.reason), context.policy.announcing
    return found.file if found and places and places.take(found.milliseconds) else None


def open_record(context: Context, call: Call) -> None:
    """Saves the record of a call that was decided."""
    record_calls(context, {call.call_id: Told(call)})


def of_session(call: Call) -> bool:
    return call.reason == Connect.reason and bool(call.proxy_session_id)


def opened(context: Context, calls: Sequence[Call]) -> Iterator[Call]:
    """Calls that were decided; their sessions may have ended meanwhile."""
    ended = ended_of(context, [call.proxy_session_id for call in calls if of_session(call)])
    for call in calls:
        over = of_session(call) and call.proxy_session_id in ended
        yield replace(call, hang_up_at=context.now) if over else call


def ended_of(context: Context, session_ids: Sequence[str | None]) -> set[str]:
    """Of these sessions, which were open a moment ago, those whose calls are to be hung up."""
    if not session_ids:
        return set()
    return {
        row["proxy_session_id"]
        for row in context.tx.all("list_ended_sessions", ids=listed(session_ids))
        if routes.rules_of(context, row["voice_connector_id"]).hang_up(expired=row["expired"])
    }


def safe_to_connect(context: Context, route: Route) -> Route:
    """The route of a call that arrived plain, or its refusal where it must be encrypted."""
    if isinstance(route.decision, Reject) or not route.rules.encrypted:
        return route
    if not context.policy.enforce_encryption:
        return route
    return replace(route, decision=routes.UNENCRYPTED)


def way_for(context: Context, decision: Connect | Fallback, carrier: str) -> Answer:
    """The numbers of a call as a carrier writes them."""
    way = context.policy.way(carrier)
    return {
        "CarrierName": carrier,
        "Caller": numbering.written_for(decision.caller, way),
        "Called": numbering.written_for(decision.called, way),
    }


def report_call(context: Context, request: Request) -> Answer:
    """Adds what happened to the record of a call. The same report may come again, or late."""
    recorded = record_calls(context, {request["CallId"]: Told(events=[event_of(request)])})
    if recorded.missing:
        raise NotFound(f"Could not find Call with Id '{request['CallId']}'")
    return {}


@dataclass
class Told:
    """What is to be recorded of a call: its first state, unless it has a record, and what
    happened since, in the order in which we were told."""

    call: Call | None = None
    events: list[CallEvent] = field(default_factory=list)


class Recorded(NamedTuple):
    """The ids of calls that have no record, and the carriers that took calls which were decided for
    another: they are to be counted once all is kept (call_limits.count_call)."""

    missing: list[str]
    taken_by: list[str]


def record_calls(context: Context, told: Mapping[str, Told]) -> Recorded:
    """Records what is told of calls by their ids."""
    context.tx.lock(*names_of(told.values()), last=told)  # as who ends a session comes to its calls
    known = {call.call_id: call for call in known_calls(context, told)}
    changed, taken_by = [], []
    for call_id, call in known.items():
        after = reduce(apply, told[call_id].events, call)
        if after.outbound_carrier and after.outbound_carrier != call.outbound_carrier:
            taken_by.append(after.outbound_carrier)
        if told[call_id].call or after is not call:
            changed.append(rows.call_columns(after))
        if is_left(call, after, told[call_id].events):
            leave_legs(context, call_id, [(leg, UNREACHED) for leg in after.legs], after=0)
    context.tx.run_each("put_call", changed)
    return Recorded([call_id for call_id in told if call_id not in known], taken_by)


def is_left(before: Call, after: Call, events: Iterable[CallEvent]) -> bool:
    """Whether a call has ended and somebody may not have heard: so it is told (Stranded), or may
    have been told before its answer, when nobody knew yet whom to tell."""
    if any(event.happening is Happening.STRANDED for event in events):
        return True
    hung_up = before.ended_at is not None and before.sip_status == HUNG_UP
    return hung_up and before.answered_at is None and after.answered_at is not None


def known_calls(context: Context, told: Mapping[str, Told]) -> Iterator[Call]:
    """The calls that are told of, as they were before: of those that are new, the first state."""
    yield from opened(context, [one.call for one in told.values() if one.call])
    recorded = [call_id for call_id, one in told.items() if not one.call]
    if recorded:
        yield from map(rows.call, context.tx.all("get_calls", ids=listed(recorded)))


def recorded_ids(context: Context, call_ids: Iterable[str]) -> list[str]:
    """Those of some calls that have a record."""
    return [row["call_id"] for row in context.tx.all("get_calls", ids=listed(call_ids))]


def names_of(told: Iterable[Told]) -> set[str]:
    """The participants whose sessions somebody may be deleting at this moment."""
    calls = [one.call for one in told if one.call and of_session(one.call)]
    return {name for call in calls for name in (call.caller, call.called) if name}


def recorded_call(context: Context, call_id: str) -> Call | None:
    row = context.tx.one("get_call", call_id=call_id)
    return None if row is None else rows.call(row)


def legs_of(call: Call | None) -> Answer:
    """How far a call is, and both its sides once it has been answered."""
    if call is None:
        return {}
    if call.ended_at is not None:
        state = "Ended"
    else:
        state = "Ringing" if call.answered_at is None else "Answered"
    answered = call.answered_at is not None and call.legs
    return {"State": state} | ({"Legs": list(call.legs)} if answered else {})


def event_of(request: Request) -> CallEvent:
    """What a report says."""
    ended_by = request.get("EndedBy")
    return CallEvent(
        happening=Happening(request["Event"]),
        at=request["Timestamp"],
        sip_status=request.get("SipStatus"),
        ended_by=Party(ended_by) if ended_by else None,
        cause=request.get("Cause"),
        legs=tuple(request.get("Legs") or ()),
        carrier=request.get("CarrierName"),
    )


def live_calls(context: Context, node: str = "") -> list[Call]:
    """Calls that were put through and have not ended, as far as anybody told us: those of a node,
    or all."""
    return [rows.call(row) for row in context.tx.all("list_live_calls", node=node)]


def take_calls_to_hang_up(context: Context, node: str) -> list[Call]:
    """Calls whose time is over, for the one who asks to hang up: those that this node carries,
    and those that the node that carries them has not hung up.

    A call is given again after a while unless it was reported ended, so that a hang-up lost with
    whoever took it is made up for.
    """
    due = context.tx.all(
        "list_calls_to_hang_up",
        now=context.now,
        node=node,
        left_alone_since=context.now - LEFT_ALONE,
        limit=HANG_UPS_AT_ONCE,
    )
    return [call for call in map(rows.call, due) if take_call(context, call)]


def take_call(context: Context, call: Call) -> bool:
    """Whether this call is left to us to hang up; nobody else is given it for a while."""
    call_id = call.call_id
    if not context.tx.lock_free(call_id):
        return False
    again_at = context.now + (CANCEL_AGAIN if call.answered_at is None else HANG_UP_AGAIN)
    taken = context.tx.run("postpone_hang_up", call_id=call_id, now=context.now, again_at=again_at)
    return taken == 1


def complete_lost_calls(context: Context) -> int:
    """Ends the records of calls that must be over though nobody said so; gives their number."""
    lost = context.tx.all(
        "list_lost_calls", lost_before=context.now - LOST_AFTER, limit=HANG_UPS_AT_ONCE
    )
    return complete_calls(context, context.tx.lock_free(*(row["call_id"] for row in lost)))


def complete_calls(context: Context, call_ids: Collection[str]) -> int:
    """Ends the records of calls that are over without anybody having told us when."""
    if not call_ids:
        return 0
    context.tx.lock(*call_ids)
    end = end_by(Party.US, context.now, LOST_STATUS, FAILURE)
    found = map(rows.call, context.tx.all("get_calls", ids=listed(call_ids)))
    context.tx.run_each("put_call", [rows.call_columns(apply(call, end)) for call in found])
    return len(call_ids)


def complete_call(
    context: Context,
    call_id: str,
    sip_status: int,
    cause: int,
    left: Iterable[tuple[Leg, int]],
) -> None:
    """Ends the record of a call that we have ended. `left` are the legs that are to be hung up
    later, and for how long."""
    context.tx.lock(call_id)
    call = recorded_call(context, call_id)
    assert call is not None, call_id
    save(context, apply(call, end_by(Party.US, context.now, sip_status, cause)))
    leave_legs(context, call_id, left)


def end_by(party: Party, at: int, sip_status: int, cause: int | None = None) -> CallEvent:
    return CallEvent(
        happening=Happening.ENDED, at=at, ended_by=party, sip_status=sip_status, cause=cause
    )


def record_of(context: Context, carrier: str, route: Route, call_id: str) -> Call:
    """The first state of the record: forwarded, or ended at once."""
    call = Call(
        call_id=call_id,
        account_id=route.account_id,
        voice_connector_id=route.voice_connector_id,
        proxy_session_id=route.session.proxy_session_id if route.session else None,
        proxy_session_name=route.session.name if route.session else None,
        carrier=carrier,
        caller=route.caller,
        dialled=route.dialled,
        decision=routes.shown(route.decision)["Decision"],
        reason=route.decision.reason,
        received_at=context.now,
        max_call_seconds=route.rules.max_call_seconds,
    )
    match route.decision:
        case Connect() | Fallback() as way:
            return replace(
                call,
                outbound_carrier=way.carrier,
                called=way.called,
                shown=way.caller,
                forwarded_at=context.now,
                recorded=route.rules.record_calls,
            )
        case Reject(sip_status):
            return apply(call, end_by(Party.US, context.now, sip_status))


def save(context: Context, call: Call) -> None:
    context.tx.run("put_call", **rows.call_columns(call))
