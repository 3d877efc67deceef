"""Rows of the store, read as the subject's own values."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

from maskline.domain.call import Call, Party
from maskline.domain.connector import (
    Assignment,
    ProxyConfiguration,
    Rules,
    TextRules,
    UnknownCaller,
    VoiceConnector,
)
from maskline.domain.session import Capability, Participant, ProxySession
from maskline.store.port import Row

RULES: dict[str, Callable[[Any], Any]] = {
    "number_assignment": Assignment,
    "number_rest_minutes": int,
    "unknown_caller": UnknownCaller,
    "hang_up_on_delete": bool,
    "hang_up_on_expiry": bool,
    "max_ring_seconds": int,
    "max_call_seconds": int,
    "record_calls": bool,
    "max_calls": int,
    "max_calls_per_second": int,
    "max_calls_per_caller": int,
    "max_calls_per_caller_per_second": int,
}


def words(text: str) -> tuple[str, ...]:
    """What was written with commas between; nothing of an empty text."""
    return tuple(text.split(",")) if text else ()


TEXT_RULES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "keep_days": ("keep_text_days", int),
    "closed_reply": ("closed_reply", str),
    "stop_reply": ("stop_reply", str),
    "start_reply": ("start_reply", str),
    "help_reply": ("help_reply", str),
    "keyword_languages": ("keyword_languages", words),
    "max_per_minute": ("max_texts_per_minute", int),
}


def rules(row: Row, default: Rules) -> Rules:
    """The default rules with those that a connector's row sets itself, within their ceilings."""
    own = {name: read(row[name]) for name, read in RULES.items() if row[name] is not None}
    texts = text_rules(row, default.texts)
    if texts is not default.texts:
        own["texts"] = texts
    if row["require_encryption"]:
        own["encrypted"] = True
    if limit := row["cps_limit"]:
        most = own.get("max_calls_per_second", default.max_calls_per_second)
        own["max_calls_per_second"] = min(limit, most or limit)
    return replace(default, **own).bounded() if own else default


def text_rules(row: Row, default: TextRules) -> TextRules:
    own = {
        name: read(row[column])
        for name, (column, read) in TEXT_RULES.items()
        if row[column] is not None
    }
    return replace(default, **own) if own else default


def voice_connector(row: Row, default: Rules) -> VoiceConnector:
    return VoiceConnector(
        voice_connector_id=row["voice_connector_id"],
        account_id=row["account_id"],
        region=row["region"],
        name=row["name"],
        require_encryption=bool(row["require_encryption"]),
        integration_type=row["integration_type"],
        network_type=row["network_type"],
        rules=rules(row, default),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def proxy_configuration(row: Row) -> ProxyConfiguration:
    return ProxyConfiguration(
        default_expiry_minutes=row["default_expiry_minutes"],
        disabled=bool(row["disabled"]),
        fallback_number=row["fallback_number"],
        countries=tuple(row["countries"].split(",")),
    )


def proxy_session(row: Row) -> ProxySession:
    return ProxySession(
        proxy_session_id=row["proxy_session_id"],
        voice_connector_id=row["voice_connector_id"],
        name=row["name"],
        expiry_minutes=row["expiry_minutes"],
        capabilities=capabilities(row["capabilities"]),
        participants=(
            Participant(phone_number=row["first_number"], proxy_number=row["first_proxy_number"]),
            Participant(phone_number=row["second_number"], proxy_number=row["second_proxy_number"]),
        ),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
    )


@cache
def capabilities(text: str) -> frozenset[Capability]:
    return frozenset(map(Capability, text.split(",")))


CALL_COLUMNS = tuple(field.name for field in fields(Call))


def call(row: Row) -> Call:
    values = {name: row[name] for name in CALL_COLUMNS}
    values["ended_by"] = Party(row["ended_by"]) if row["ended_by"] else None
    values["legs"] = tuple(json.loads(row["legs"]))
    values["recorded"] = bool(row["recorded"])
    return Call(**values)


def call_columns(call: Call) -> dict[str, Any]:
    """What a call's row holds."""
    values = {name: getattr(call, name) for name in CALL_COLUMNS}
    values["legs"] = json.dumps(call.legs)
    return values
