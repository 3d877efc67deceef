"""Texts, read back and sent again. What carries them is the relay, in `sms/`."""

import base64
import json
from typing import Any

from maskline.clock import DAY
from maskline.domain.message import DEAD, State
from maskline.domain.refusals import Conflict, NotFound
from maskline.domain.session import Capability
from maskline.operations.call_records import LATEST
from maskline.operations.context import Answer, Context, Request
from maskline.operations.pages import page_of
from maskline.store import NotSealed, Row, rows

ASTRAY = ("Failed", "Expired", "Refused", "InDoubt")
OBSTACLES = {
    "opted-out": "its reader has said STOP",
    "session-closed": "its session is closed, or the number has become somebody else's",
    "sms-not-allowed": "its session is without the capability SMS",
}
PIECE = 500
EARLY_RECEIPTS_DAYS = 7
EVENT_DAYS = 30


def list_messages(context: Context, request: Request) -> Answer:
    session_id, state = request.get("ProxySessionId"), request.get("State")
    first, end = request.get("ReceivedFrom", 0), request.get("ReceivedUntil", LATEST)
    page = page_of(context, request, "ListMessages", session_id, state, f"{first}-{end}")
    query = "list_messages"
    if session_id:
        query = "list_messages_of_session"
    elif state in ASTRAY:
        query = "list_messages_astray"
    found = context.tx.all(
        query,
        account_id=context.account_id,
        proxy_session_id=session_id,
        state=state or "",
        received_from=first,
        received_until=end,
        before=page.before,
        limit=page.limit,
    )
    return page.answer("Messages", found, shown)


def get_message(context: Context, request: Request) -> Answer:
    """The record of a text, with its words as long as they are kept."""
    row = require_message(context, request["MessageId"])
    return {"Message": shown(row) | words_of(context, row)}


def retry_message(context: Context, request: Request) -> Answer:
    """Sends a text again that failed or expired, for a new span of validity."""
    message_id = request["MessageId"]
    row = require_message(context, message_id)
    require_sendable(context, row)
    policy = context.policy.texts
    expires_at = context.now + policy.validity_milliseconds
    keep = max(row["keep_milliseconds"], policy.dead_letter_milliseconds)
    context.tx.run(
        "retry_message",
        message_id=message_id,
        now=context.now,
        expires_at=expires_at,
        erase_at=expires_at + keep,
    )
    context.tx.run(
        "insert_event",
        account_id=context.account_id,
        name=f"Message{State.QUEUED}",
        subject=message_id,
        happened_at=context.now,
    )
    return {"Message": shown(require_message(context, message_id))}


def require_sendable(context: Context, row: Row) -> None:
    """Raises Conflict for a text that cannot be sent again, or must not be."""
    message_id = row["message_id"]
    if State(row["state"]) not in DEAD:
        raise Conflict(
            f"Message '{message_id}' is {row['state']}; only what Failed or Expired is sent again"
        )
    if row["sealed_body"] is None:
        raise Conflict(f"The words of Message '{message_id}' are erased, so it cannot be sent")
    words_of(context, row)  # which cannot be sent where they cannot be read
    ids = json.dumps([[message_id]])
    obstacles = context.tx.one("obstacles_of_messages", ids=ids, now=context.now)
    if obstacles is not None and (obstacle := obstacle_of(obstacles)):
        raise Conflict(f"Message '{message_id}' cannot be sent again: {OBSTACLES[obstacle]}")


def obstacle_of(row: Row) -> str | None:
    """Why a text that was kept to be sent must not be sent any more, as a reason of a refusal."""
    if row["unwanted"]:
        return "opted-out"
    if not row["capabilities"]:
        return "session-closed"
    allowed = Capability.SMS in rows.capabilities(row["capabilities"])
    return None if allowed else "sms-not-allowed"


def require_message(context: Context, message_id: str) -> Row:
    row = context.tx.one("get_message", message_id=message_id)
    if row is None or row["account_id"] != context.account_id:
        raise NotFound(f"Could not find Message with Id '{message_id}'")
    return row


def words_of(context: Context, row: Row) -> dict[str, Any]:
    """What a text says, as long as that is kept; Conflict where it cannot be read any more."""
    if row["sealed_body"] is None:
        return {}
    try:
        sealed = base64.b64decode(row["sealed_body"])
        text, media = json.loads(context.tx.cipher.unseal(sealed, row["message_id"]))
    except (NotSealed, ValueError):
        raise Conflict(
            f"What Message '{row['message_id']}' says cannot be read: it was sealed under another"
            " key than this database's, or is damaged. ListMessages shows its record"
        ) from None
    return {"Text": text, "MediaUrls": [url for url, _ in media]}


def erase_messages(context: Context) -> int:
    """Erases the words of texts whose time to be read is over."""
    return context.tx.run("erase_messages", now=context.now, limit=PIECE)


def purge_messages(context: Context) -> int:
    """Deletes the records of old texts, with what was remembered to know them by."""
    tx, now = context.tx, context.now
    before = now - context.policy.texts.retention_days * DAY
    short = now - EARLY_RECEIPTS_DAYS * DAY
    return max(
        tx.run("purge_early_receipts", before=short, limit=PIECE),
        tx.run("purge_unanswered_submits", before=short, limit=PIECE),
        tx.run("purge_connections", before=short, limit=PIECE),
        tx.run("purge_replies", before=short, limit=PIECE),
        tx.run("purge_parts", before=now - DAY, limit=PIECE),
        tx.run("purge_messages", before=before, limit=PIECE),
        tx.run("purge_segments", before=before, limit=PIECE),
        tx.run("purge_events", before=now - EVENT_DAYS * DAY, ahead=now + DAY, limit=PIECE),
    )


def shown(row: Row) -> dict[str, Any]:
    return {
        "MessageId": row["message_id"],
        "Kind": row["kind"],
        "Direction": row["direction"],
        "State": row["state"],
        "Reason": row["reason"],
        "Error": row["error"],
        "VoiceConnectorId": row["voice_connector_id"],
        "ProxySessionId": row["proxy_session_id"],
        "CarrierName": row["carrier"],
        "SourcePhoneNumber": row["source"],
        "DialledPhoneNumber": row["dialled"],
        "OutboundCarrierName": row["outbound_carrier"],
        "RecipientPhoneNumber": row["recipient"],
        "ShownPhoneNumber": row["shown"],
        "Encoding": row["encoding"],
        "Segments": row["segments"],
        "Partial": bool(row["partial"]),
        "Media": row["media"],
        "OutboundEncoding": row["outbound_encoding"],
        "OutboundSegments": row["outbound_segments"],
        "Attempts": row["attempts"],
        "ReceivedTimestamp": row["received_at"],
        "SentTimestamp": row["sent_at"],
        "AcceptedTimestamp": row["accepted_at"],
        "EndedTimestamp": row["ended_at"],
        "ExpiresTimestamp": row["expires_at"],
    }
