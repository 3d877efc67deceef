"""The records of calls, read back."""

from functools import partial
from typing import Any

from maskline.domain.refusals import BadRequest, NotFound
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.operations.recordings import NOTHING
from maskline.operations.tenancy import is_operator, require_operator
from maskline.store import Row, rows

LATEST = 253_402_300_800_000  # the year 10000


def get_call(context: Context, request: Request) -> Answer:
    row = context.tx.one("get_call", call_id=request["CallId"])
    if row is None or not may_read(context, row["account_id"]):
        raise NotFound(f"Could not find Call with Id '{request['CallId']}'")
    return {"Call": shown(context, row)}


def may_read(context: Context, account_id: str | None) -> bool:
    """Whether a record may be read: the account's own, and by the operator that of nobody."""
    return account_id == context.account_id or (account_id is None and is_operator(context))


def list_calls(context: Context, request: Request) -> Answer:
    session_id, unassigned = request.get("ProxySessionId"), request.get("Unassigned")
    if unassigned:
        require_operator(context)
        if session_id:
            raise BadRequest("Unassigned calls belong to no proxy session; give one or the other")
    first, end = request.get("ReceivedFrom", 0), request.get("ReceivedUntil", LATEST)
    which = "unassigned" if unassigned else session_id
    page = page_of(context, request, "Calls", which, f"{first}-{end}", start=f"{end} 0")
    latest, before = page.position.split(" ")  # of the first page: none of that moment
    found = context.tx.all(
        query_of(session_id, unassigned),
        **({} if unassigned else {"account_id": context.account_id}),
        **({"proxy_session_id": session_id} if session_id else {}),
        received_from=first,
        latest=int(latest),
        before=int(before),
        limit=page.limit,
    )
    return page.answer("Calls", found, partial(shown, context), "received_at", "sequence")


def query_of(session_id: str | None, unassigned: bool | None) -> str:
    if unassigned:
        return "list_calls_of_nobody"
    return "list_calls_of_session" if session_id else "list_calls"


def shown(context: Context, row: Row) -> dict[str, Any]:
    call = rows.call(row)
    recording = context.tx.one("get_recording", call_id=call.call_id) if call.recorded else None
    received, forwarded, ringing, answered, ended = call.moments
    return {
        "CallId": call.call_id,
        "VoiceConnectorId": call.voice_connector_id,
        "ProxySessionId": call.proxy_session_id,
        "ProxySessionName": call.proxy_session_name,
        "Decision": call.decision,
        "Reason": call.reason,
        "CarrierName": call.carrier,
        "CallerPhoneNumber": call.caller,
        "DialledPhoneNumber": call.dialled,
        "OutboundCarrierName": call.outbound_carrier,
        "CalledPhoneNumber": call.called,
        "ShownPhoneNumber": call.shown,
        "ReceivedTimestamp": received,
        "ForwardedTimestamp": forwarded,
        "RingingTimestamp": ringing,
        "AnsweredTimestamp": answered,
        "EndedTimestamp": ended,
        "EndedBy": call.ended_by and call.ended_by.value,
        "Attribution": call.attribution and call.attribution.value,
        "SipStatus": call.sip_status,
        "Cause": call.clearing,
        **shown_recording(recording),
    }


def shown_recording(row: Row | None) -> dict[str, Any]:
    if row is None:
        return {}
    state = "Recording" if row["finished_at"] is None else "Lost"
    begun = row["caller_port"] != NOTHING.caller.port
    return {
        "RecordingStatus": "Ready" if row["milliseconds"] is not None else state,
        "RecordingStartedTimestamp": row["begun_at"] if begun else None,
        "RecordingMilliseconds": row["milliseconds"],
    }
