"""What an answer means by its status alone, where the provider's own words say nothing."""

import base64
from collections.abc import Collection

from maskline.courier import HttpReply
from maskline.sms.port import Outcome, Refused, TryLater, Unknown

BAD_KEYS_SECONDS = 60.0
BAD_KEYS = "credentials-refused"
UNPAID = "payment-required"
LONGEST_WAIT = 3600.0


def outcome_of_failure(reply: HttpReply, refused: Refused, bad_keys: Collection[int]) -> Outcome:
    """What a status outside of 200 to 299 says about the text; `refused` is what a plain refusal
    is, `bad_keys` are statuses that find fault with who asks."""
    status = reply.status
    if status in bad_keys:
        return keys_refused()
    if status == 402:  # the account is empty: no text is at fault
        return TryLater(after=BAD_KEYS_SECONDS, reason=UNPAID)
    if status == 429:
        return throttled(reply)
    if status in (408, 425, 503):
        return TryLater(after=retry_after(reply), reason="busy")
    if 400 <= status < 500:
        return refused
    if status >= 500:
        return Unknown(reason=f"http-{status}")
    return TryLater(after=BAD_KEYS_SECONDS, reason=f"http-{status}")


def keys_refused() -> TryLater:
    """Not the text is at fault but the settings: it waits until they are mended."""
    return TryLater(after=BAD_KEYS_SECONDS, reason=BAD_KEYS)


def throttled(reply: HttpReply) -> TryLater:
    return TryLater(after=retry_after(reply), reason="throttled")


def retry_after(reply: HttpReply) -> float | None:
    """Seconds to wait (RFC 9110 10.2.3), up to an hour; a date is as good as none here."""
    text = reply.headers.get("retry-after", "").strip()
    return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() else None


def basic_authorization(user: str, password: str) -> str:
    """The Authorization header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
