"""What requests and answers hold: forms, JSON, and words of them that can be kept."""

import json
from typing import Any

from maskline.sms.border import storable
from maskline.sms.http.provider import Callback

FORM = "application/x-www-form-urlencoded"


def is_form(callback: Callback) -> bool:
    kind = callback.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == FORM


def content_of(body: bytes) -> Any:
    """What JSON holds; None for whatever else the bytes are."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def word(value: Any) -> str:
    """A text or a number as a text that can be kept; empty for whatever else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return storable(str(value))


def count_of(value: Any) -> int:
    """A number of segments; 1 for whatever is none."""
    text = word(value)
    return max(int(text), 1) if text.isdecimal() and len(text) < 4 else 1
