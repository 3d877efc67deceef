"""Proxy sessions: opened, read, changed and ended."""

from typing import Any, NamedTuple

from maskline.domain import selection
from maskline.domain.connector import Assignment, ProxyConfiguration
from maskline.domain.refusals import BadRequest, Forbidden, NotFound, Unavailable
from maskline.domain.session import Capability, ProxySession, Status, end_of, expiry, status_of
from maskline.operations.assignment import Rest, Wish, assign_numbers, rest_of
from maskline.operations.connectors import no_connector, require_connector
from maskline.operations.context import Answer, Context, Request
from maskline.operations.numbering import place_of
from maskline.operations.pages import page_of
from maskline.operations.proxy_configurations import (
    no_configuration,
    require_expiry,
    require_outside_numbers,
)
from maskline.store import Row, rows

SIDES = ("first", "second")
LISTS = {
    None: "list_proxy_sessions",
    Status.OPEN: "list_open_proxy_sessions",
    Status.IN_PROGRESS: "list_in_progress_proxy_sessions",
    Status.CLOSED: "list_closed_proxy_sessions",
}


class Terms(NamedTuple):
    """What a connector opens sessions by: its pools are its own numbers, where there are any, and
    those that the account shares among its connectors. Calls of some must be `encrypted`."""

    configuration: ProxyConfiguration
    assignment: Assignment
    pools: tuple[str, ...]
    rest: Rest
    encrypted: bool


def create_proxy_session(context: Context, request: Request) -> Answer:
    connector_id = request["VoiceConnectorId"]
    try:
        participants = require_participants(context, request["ParticipantPhoneNumbers"])
    except BadRequest:
        require_terms(context, connector_id)  # what the connector refuses anybody is told first
        raise
    context = context.holding(*participants, shared=[connector_id])
    terms = require_terms(context, connector_id)
    minutes = request.get("ExpiryMinutes")
    minutes = require_expiry(
        context, terms.configuration.default_expiry_minutes if minutes is None else minutes
    )
    wish = wish_of(context, request, participants, terms)
    row = record(context, request, minutes, wish, assign_numbers(context, wish))
    return {"ProxySession": shown(row, context.now)}


def wish_of(
    context: Context, request: Request, participants: tuple[str, str], terms: Terms
) -> Wish:
    countries, behaviour = terms.configuration.countries, request.get("NumberSelectionBehavior")
    needed = context.policy.needed(capabilities_of(request), encrypted=terms.encrypted)
    return Wish(
        participants=participants,
        pools=terms.pools,
        tiers=tiers_of(request, participants[0], countries),
        countries=countries,
        behaviour=selection.Behaviour(behaviour) if behaviour else None,
        assignment=terms.assignment,
        rest=terms.rest,
        needed=needed,
        fit=context.policy.fit(needed, encrypted=terms.encrypted),
    )


def require_terms(context: Context, connector_id: str) -> Terms:
    """What a connector opens sessions by; raises NotFound, and Forbidden where it opens none."""
    row = context.tx.one(
        "get_connector_for_sessions",
        voice_connector_id=connector_id,
        account_id=context.account_id,
    )
    if row is None:
        raise no_connector(connector_id)
    if row["default_expiry_minutes"] is None:
        raise no_configuration(connector_id)
    if row["disabled"]:
        raise Forbidden(f"Proxy sessions are disabled on VoiceConnector with Id '{connector_id}'")
    own = row["number_assignment"]
    assignment = Assignment(own) if own else context.policy.rules.number_assignment
    shared = context.account_id
    pools = (connector_id, shared) if row["own_numbers"] else (shared,)
    rest = rest_of(context, row["number_rest_minutes"], row["longest_rest"])
    encrypted = bool(row["require_encryption"])
    return Terms(rows.proxy_configuration(row), assignment, pools, rest, encrypted)


def get_proxy_session(context: Context, request: Request) -> Answer:
    return answer_with(context, request["VoiceConnectorId"], request["ProxySessionId"])


def update_proxy_session(context: Context, request: Request) -> Answer:
    """Replaces the capabilities; with ExpiryMinutes, a window of that length starts now."""
    context, session = hold_session(context, request)
    if session.ended(context.now) is not None:
        raise closed(session)
    require_able(context, session, capabilities_of(request))
    minutes, expires_at = session.expiry_minutes, session.expires_at
    if request.get("ExpiryMinutes") is not None:
        minutes = require_expiry(context, request["ExpiryMinutes"])
        expires_at = expiry(context.now, minutes)
        if not hold_until(context, session, expires_at):
            raise closed(session)  # by a clock ahead of ours, which has given a number away
    updated = context.tx.run(
        "update_proxy_session",
        proxy_session_id=session.proxy_session_id,
        capabilities=",".join(sorted(capabilities_of(request))),
        expiry_minutes=minutes,
        expires_at=expires_at,
        now=context.now,
    )
    if not updated:
        raise closed(session)
    return answer_with(context, session.voice_connector_id, session.proxy_session_id)


def list_proxy_sessions(context: Context, request: Request) -> Answer:
    connector_id, status = request["VoiceConnectorId"], request.get("Status")
    require_connector(context, connector_id)
    page = page_of(context, request, "ListProxySessions", connector_id, status)
    found = context.tx.all(
        LISTS[status and Status(status)],
        voice_connector_id=connector_id,
        before=page.before,
        limit=page.limit,
        now=context.now,
    )
    return page.answer("ProxySessions", found, lambda row: shown(row, context.now))


def delete_proxy_session(context: Context, request: Request) -> Answer:
    """Ends the session; one that has ended already stays as it is.

    What expired a moment ago may be noted here before the upkeep does, which then leaves the
    calls to us, too.
    """
    context, session = hold_session(context, request)
    ended_at = session.ended(context.now)
    if end(context, session, context.now if ended_at is None else ended_at):
        rules = require_connector(context, session.voice_connector_id).rules
        if rules.hang_up(expired=ended_at is not None):
            hang_up_calls(context, session)
    return {}


def end(context: Context, session: ProxySession, at: int) -> bool:
    """Notes the end of a session and frees its numbers, once; whether it was for us to note."""
    ended = context.tx.run(
        "end_proxy_session", proxy_session_id=session.proxy_session_id, ended_at=at
    )
    if not ended:
        return False
    hold_until(context, session, at)
    for number in proxy_numbers(session):
        context.tx.run("remove_open_sessions", phone_number=number, sessions=1)
    return True


def closed(session: ProxySession) -> BadRequest:
    return BadRequest(f"ProxySession with Id '{session.proxy_session_id}' is closed")


def proxy_numbers(session: ProxySession) -> list[str]:
    """The session's one or two proxy numbers, in the order in which all change their rows."""
    return sorted({participant.proxy_number for participant in session.participants})


def hang_up_calls(context: Context, session: ProxySession) -> None:
    """Marks the session's live calls to be hung up now."""
    live = context.tx.all("list_live_calls_of_session", proxy_session_id=session.proxy_session_id)
    if not live:
        return
    context.tx.lock(*(row["call_id"] for row in live))  # a report writes the whole record
    context.tx.run(
        "hang_up_calls_of_session", proxy_session_id=session.proxy_session_id, now=context.now
    )


def hold_until(context: Context, session: ProxySession, at: int) -> bool:
    """Moves the end of both claims; whether both were still the session's."""
    held = [
        context.tx.run(
            "hold_claim_until",
            participant=participant.phone_number,
            proxy_number=participant.proxy_number,
            proxy_session_id=session.proxy_session_id,
            held_until=at,
        )
        for participant in session.participants
    ]
    return all(held)


def require_participants(context: Context, numbers: list[str]) -> tuple[str, str]:
    first, second = require_outside_numbers(context, *numbers)
    if first == second:
        raise BadRequest("The two participants have the same phone number")
    return first, second


def tiers_of(
    request: Request, first: str, countries: tuple[str, ...]
) -> list[list[selection.Place]]:
    params = request.get("GeoMatchParams") or {}
    if not request.get("GeoMatchLevel") and not params:
        return selection.tiers(None, countries)
    wish = selection.wished_place(
        request.get("GeoMatchLevel"),
        params.get("Country"),
        params.get("AreaCode"),
        place_of(first),
    )
    return selection.tiers(wish, countries)


def record(
    context: Context,
    request: Request,
    minutes: int,
    wish: Wish,
    numbers: tuple[str, str],
) -> dict[str, Any]:
    """Keeps a new session and claims its numbers; the session's row."""
    geo = request.get("GeoMatchParams") or {}
    row = {
        "proxy_session_id": context.new_id(),
        "account_id": context.account_id,
        "voice_connector_id": request["VoiceConnectorId"],
        "name": request.get("Name") or None,
        "expiry_minutes": minutes,
        "capabilities": ",".join(sorted(capabilities_of(request))),
        "first_number": wish.participants[0],
        "first_proxy_number": numbers[0],
        "second_number": wish.participants[1],
        "second_proxy_number": numbers[1],
        "number_selection_behavior": request.get("NumberSelectionBehavior"),
        "geo_match_level": request.get("GeoMatchLevel"),
        "geo_match_country": geo.get("Country"),
        "geo_match_area_code": geo.get("AreaCode"),
        "created_at": context.now,
        "updated_at": context.now,
        "expires_at": expiry(context.now, minutes),
        "ended_at": None,
        "live_call": False,
    }
    context.tx.run("insert_proxy_session", **row)
    claim(context, row, wish.rest)
    for number in sorted(set(numbers)):
        context.tx.run("add_open_session", phone_number=number, now=context.now)
    return row


def claim(context: Context, row: dict[str, Any], rest: Rest) -> None:
    """Claims each participant's number and remembers that the pair used it."""
    if context.tx.run("claim_numbers", **row, **rest.bounds(context.now)) != len(SIDES):
        raise Unavailable("The number was taken meanwhile; please try again", retry_after=1)
    context.tx.run("remember_pair_numbers", **row)


def answer_with(context: Context, connector_id: str, session_id: str) -> Answer:
    row = session_row(context, connector_id, session_id)
    return {"ProxySession": shown(row, context.now)}


def hold_session(context: Context, request: Request) -> tuple[Context, ProxySession]:
    """The session of a request, when nobody else works on it or on others of its participants."""
    ids = request["VoiceConnectorId"], request["ProxySessionId"]
    session = rows.proxy_session(session_row(context, *ids))
    context = context.holding(*(each.phone_number for each in session.participants))
    return context, rows.proxy_session(session_row(context, *ids))


def session_row(context: Context, connector_id: str, session_id: str) -> Row:
    """The row of a session of the account's connector; raises NotFound for what is missing."""
    row = context.tx.one(
        "get_proxy_session_of_connector",
        proxy_session_id=session_id,
        voice_connector_id=connector_id,
        account_id=context.account_id,
    )
    if row is None:
        require_connector(context, connector_id)
        raise NotFound(f"Could not find ProxySession with Id '{session_id}'")
    return row


def capabilities_of(request: Request) -> frozenset[Capability]:
    wanted = frozenset(map(Capability, request["Capabilities"]))
    if not wanted:
        raise BadRequest("A proxy session needs at least one capability")
    return wanted


def require_able(context: Context, session: ProxySession, wanted: frozenset[Capability]) -> None:
    """Raises BadRequest where the session's numbers cannot do what it is to be able to from now on.

    What it was opened with it keeps, whatever became of the carriers.
    """
    if wanted <= session.capabilities:
        return
    encrypted = require_connector(context, session.voice_connector_id).require_encryption
    needed = context.policy.needed(wanted, encrypted=encrypted) - session.capabilities
    fit = context.policy.fit(needed, encrypted=encrypted)
    for number in proxy_numbers(session) if needed else ():
        row = context.tx.one("get_phone_number", phone_number=number)
        if row and row["carrier"] not in fit:
            raise BadRequest(
                "The session's proxy phone number cannot be used for "
                f"{' and '.join(sorted(needed))}: its carrier offers none"
            )


def shown(row: Row, now: int) -> dict[str, Any]:
    end = end_of(row["expires_at"], row["ended_at"], now)
    return {
        "VoiceConnectorId": row["voice_connector_id"],
        "ProxySessionId": row["proxy_session_id"],
        "Name": row["name"],
        "Status": status_of(end, row["live_call"]),
        "ExpiryMinutes": row["expiry_minutes"],
        "Capabilities": row["capabilities"].split(","),
        "CreatedTimestamp": row["created_at"],
        "UpdatedTimestamp": row["updated_at"],
        "EndedTimestamp": end,
        "Participants": shown_participants(row),
        "NumberSelectionBehavior": row["number_selection_behavior"],
        "GeoMatchLevel": row["geo_match_level"],
        "GeoMatchParams": shown_geo(row),
    }


def shown_participants(row: Row) -> list[dict[str, str]]:
    """The participants in the order of their numbers, whatever the order of the request: AWS's
    own answers have them so."""
    first = {"PhoneNumber": row["first_number"], "ProxyPhoneNumber": row["first_proxy_number"]}
    second = {"PhoneNumber": row["second_number"], "ProxyPhoneNumber": row["second_proxy_number"]}
    return [first, second] if row["first_number"] < row["second_number"] else [second, first]


def shown_geo(row: Row) -> dict[str, str | None] | None:
    if row["geo_match_country"] is None:
        return None
    return {"Country": row["geo_match_country"], "AreaCode": row["geo_match_area_code"]}
