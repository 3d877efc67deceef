"""Twilio's REST API for messages and its webhooks, which other providers speak, too.

Sources: Twilio's Message resource (2010-04-01), "Webhooks security", the error dictionary.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

from maskline.courier import HttpReply, HttpRequest
from maskline.domain.message import Encoding, Reported
from maskline.sms.border import storable
from maskline.sms.http.answers import (
    basic_authorization,
    keys_refused,
    outcome_of_failure,
    throttled,
)
from maskline.sms.http.content import FORM, content_of, count_of, is_form, word
from maskline.sms.http.provider import (
    MESSAGES,
    STATUS,
    Callback,
    NotGenuine,
    Reading,
    Thanks,
    Unreadable,
    in_pieces,
)
from maskline.sms.port import (
    MOST_MEDIA,
    Accepted,
    InboundText,
    Media,
    Outcome,
    Outgoing,
    Receipt,
    Refused,
    Unknown,
)

NO_REPLY = Thanks(
    content_type="text/xml", body=b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
)
MOST_FIELDS, MOST_FORM_BYTES = 500, 49_152  # of what is read before its proof is looked at
PROOF = "x-twilio-signature"
PROOF_LENGTHS = (28, 44)  # by SHA-1 and SHA-256
LONGEST_SETTINGS = 200
MOST_CHARACTERS = 1_600  # in a Body; one beyond the basic plane counts as two
LONGEST_VALIDITY = 36_000  # seconds that Twilio keeps a message which waits
HASHES = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
BAD_KEYS = (401, 404)
BAD_KEYS_CODES = "200"  # what their codes begin with

STATES = {
    "accepted": Reported.ENROUTE,
    "scheduled": Reported.ENROUTE,
    "queued": Reported.ENROUTE,
    "sending": Reported.ENROUTE,
    "sent": Reported.ENROUTE,
    "delivered": Reported.DELIVERED,
    "read": Reported.DELIVERED,
    "undelivered": Reported.UNDELIVERABLE,
    "failed": Reported.REJECTED,
    "canceled": Reported.DELETED,
}
OTHERS = "OtherRecipients"  # what the names of fields begin with that tell of a group
EXPIRED_CODE = "30036"
BUSY_CODES = ("14107", "20429", "21611", "30001", "63018")
REASONS = {
    "21610": "opted-out",
    "30007": "filtered",
    "30034": "not-registered",
    **dict.fromkeys(("21211", "21214", "21217", "21408", "21612", "21614"), "bad-destination"),
    **dict.fromkeys(("21212", "21603", "21606", "21659", "21660"), "bad-source"),
    **dict.fromkeys(("21602", "21620", "21623"), "bad-content"),
    **dict.fromkeys(("21605", "21617"), "too-long"),
}


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who we are to the provider. The first token is ours; each may have signed a callback.
    Without `mms` pictures go by their links."""

    base_url: str
    account_sid: str
    auth_tokens: tuple[str, ...]
    messaging_service_sid: str | None = None
    mms: bool = True


class Twilio:
    """`callbacks` is the URL under which `messages` and `status` reach us, without a last slash."""

    def __init__(self, carrier: str, account: Account, callbacks: str) -> None:
        self._carrier = carrier
        self._account = account
        self._callbacks = callbacks
        self._authorization = basic_authorization(account.account_sid, account.auth_tokens[0])
        sid = quote(account.account_sid, safe="")
        base = account.base_url.rstrip("/")
        self._messages = f"{base}/2010-04-01/Accounts/{sid}/Messages.json"

    @property
    def carrier(self) -> str:
        return self._carrier

    @property
    def _pictures(self) -> int:
        return MOST_MEDIA if self._account.mms else 0

    def pieces(self, text: Outgoing) -> Sequence[Outgoing]:
        return in_pieces(text, MOST_CHARACTERS, self._pictures)

    def request(self, text: Outgoing, now: int) -> HttpRequest:
        left = min(max((text.expires_at - now) // 1000, 1), LONGEST_VALIDITY)
        fields = [
            ("To", text.destination),
            ("From", text.source),
            ("StatusCallback", f"{self._callbacks}/{STATUS}?reference={text.reference}"),
            ("ValidityPeriod", str(left)),
        ]
        words = text.words_beside(self._pictures)
        if words or not text.media:
            fields.append(("Body", words))
        if self._account.messaging_service_sid:
            fields.append(("MessagingServiceSid", self._account.messaging_service_sid))
        fields += [("MediaUrl", media.url) for media in text.media[: self._pictures]]
        headers = {"Authorization": self._authorization, "Content-Type": FORM}
        return HttpRequest("POST", self._messages, headers, urlencode(fields).encode())

    def outcome(self, reply: HttpReply) -> Outcome:
        answer = read_object(reply.body)
        if 200 <= reply.status < 300:
            return taken(answer)
        code = word(answer.get("code"))
        if reply.status == 429 or code in BUSY_CODES:
            return throttled(reply)
        if code.startswith(BAD_KEYS_CODES):
            return keys_refused()
        refused = Refused(reason=reason_of(code), error=code or str(reply.status))
        return outcome_of_failure(reply, refused, bad_keys=BAD_KEYS)

    @property
    def challenge(self) -> str:
        return ""

    def bears_proof(self, headers: Mapping[str, str]) -> bool:
        return len(headers.get(PROOF, "")) in PROOF_LENGTHS

    def read(self, callback: Callback) -> Reading:
        fields = self._signed_fields(callback)
        sid = one_of(fields, "MessageSid", "SmsMessageSid", "SmsSid")
        if not sid:
            raise Unreadable("no MessageSid")
        if is_text(callback.kind, fields):
            return Reading([self._text(sid, fields, callback.received_at)], NO_REPLY)
        receipt = self._receipt(sid, fields, callback)
        return Reading([receipt] if receipt else [], Thanks(204))

    def media_headers(self, url: str) -> Mapping[str, str]:
        own = urlsplit(self._account.base_url)
        asked = urlsplit(url)
        same = (asked.scheme, asked.netloc) == (own.scheme, own.netloc)
        return {"Authorization": self._authorization} if same else {}

    def _signed_fields(self, callback: Callback) -> dict[str, list[str]]:
        """The fields of a callback whose signature is right; raises NotGenuine, Unreadable. As
        little as can be is read before that is known: of a form the fields, which are signed."""
        form = is_form(callback)
        if not self.bears_proof(callback.headers):
            raise NotGenuine
        fields = read_form(callback.body) if form else {}
        given = callback.headers[PROOF]
        algorithm = algorithm_of(callback.headers.get("x-twilio-webhooks-signature-settings", ""))
        rights = [
            signature(token, url, fields, algorithm)
            for token in self._account.auth_tokens
            for url in with_and_without_port(callback.url)
        ]
        if not any(hmac.compare_digest(given.encode(), right.encode()) for right in rights):
            raise NotGenuine
        if form:
            return fields
        if callback.body and not body_hash_is_right(callback):
            raise NotGenuine
        if callback.body:
            return read_json_fields(callback.body)
        return read_fields(callback.query)

    def _text(self, sid: str, fields: Mapping[str, list[str]], received_at: int) -> InboundText:
        return InboundText(
            carrier=self._carrier,
            source=one_of(fields, "From"),
            destination=one_of(fields, "To"),
            text=one_of(fields, "Body"),
            encoding=Encoding.UTF8,
            received_at=received_at,
            message_id=sid,
            media=tuple(media_of(fields)),
            to_group=any(name.startswith(OTHERS) and any(fields[name]) for name in fields),
        )

    def _receipt(
        self, sid: str, fields: Mapping[str, list[str]], callback: Callback
    ) -> Receipt | None:
        """None for a state that says nothing about a text of ours."""
        state = state_in(fields)
        if state is None:
            return None
        error = one_of(fields, "ErrorCode")
        reference = parse_qs(callback.query).get("reference", [""])[0]
        return Receipt(
            carrier=self._carrier,
            message_id=sid,
            state=Reported.EXPIRED if error == EXPIRED_CODE else state,
            at=callback.received_at,
            error=error if error not in ("", "0") else None,
            source=one_of(fields, "From") or None,
            destination=one_of(fields, "To") or None,
            reference=int(reference) if reference.isdecimal() and len(reference) < 6 else None,
            whole_up_to=MOST_CHARACTERS,
        )


def state_in(fields: Mapping[str, Sequence[str]]) -> Reported | None:
    return STATES.get(one_of(fields, "MessageStatus", "SmsStatus").lower())


def is_text(kind: str, fields: Mapping[str, Sequence[str]]) -> bool:
    """Whether a callback brings a text. The wrong one of our two addresses is easily set for a
    number, and what was thanked for there does not come again."""
    known = state_in(fields) is not None
    if kind == MESSAGES:
        return "Body" in fields or not known
    return "Body" in fields and not known


def taken(answer: Mapping[str, Any]) -> Outcome:
    """A success that has no id of the message was none: the text may have gone out all the same."""
    sid = word(answer.get("sid"))
    if not sid:
        return Unknown(reason="answer-without-id")
    if answer.get("status") in ("failed", "undelivered"):
        code = word(answer.get("error_code"))
        return Refused(reason=reason_of(code), error=code or None)
    return Accepted(message_ids=(sid,), segments=count_of(answer.get("num_segments")))


def reason_of(code: str) -> str:
    return REASONS.get(code, "rejected-by-carrier")


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object, empty for whatever else the bytes are."""
    found = content_of(body)
    return found if isinstance(found, dict) else {}


def read_form(body: bytes) -> dict[str, list[str]]:
    if len(body) > MOST_FORM_BYTES:
        raise Unreadable(f"more than {MOST_FORM_BYTES} bytes")
    return read_fields(body.decode("utf-8", "replace"))


def read_fields(text: str) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Unreadable(f"more than {MOST_FIELDS} fields") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def read_json_fields(body: bytes) -> dict[str, list[str]]:
    found = read_object(body)
    return {name: [str(value)] for name, value in found.items() if value is not None}


def one_of(fields: Mapping[str, Sequence[str]], *names: str) -> str:
    """The first of these fields that is there and not empty."""
    return storable(next((fields[name][0] for name in names if fields.get(name, [""])[0]), ""))


def media_of(fields: Mapping[str, list[str]]) -> Iterator[Media]:
    count = one_of(fields, "NumMedia")
    for place in range(min(int(count[-9:]), MOST_FIELDS) if count.isdecimal() else 0):
        url = one_of(fields, f"MediaUrl{place}")
        if url:
            yield Media(url=url, content_type=one_of(fields, f"MediaContentType{place}"))


# -- signatures


def signature(
    token: str, url: str, fields: Mapping[str, Iterable[str]], algorithm: str = "HMAC_SHA1"
) -> str:
    """The signature of a callback: the URL, then every field in the order of the names."""
    text = url + "".join(
        name + value for name in sorted(fields) for value in sorted(set(fields[name]))
    )
    digest = hmac.new(token.encode(), text.encode(), HASHES[algorithm])
    return base64.b64encode(digest.digest()).decode()


def algorithm_of(settings: str) -> str:
    """What `X-Twilio-Webhooks-Signature-Settings` names; raises NotGenuine for what is unknown."""
    if len(settings) > LONGEST_SETTINGS:
        raise NotGenuine
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            if value.strip().upper() not in HASHES:
                raise NotGenuine
            return value.strip().upper()
    return "HMAC_SHA1"


def body_hash_is_right(callback: Callback) -> bool:
    """A body that is no form is not signed itself; its hash stands in the URL, which is."""
    given = parse_qs(callback.query).get("bodySHA256", [""])[0]
    return hmac.compare_digest(given.encode(), hashlib.sha256(callback.body).hexdigest().encode())


def with_and_without_port(url: str) -> tuple[str, str]:
    """Twilio signs URLs in both forms, not always the one it was given."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = host[: -len(f":{parts.port}")] if parts.port else host
    port = parts.port or (443 if parts.scheme == "https" else 80)
    rest = url[len(parts.scheme) + 3 + len(parts.netloc) :]
    return f"{parts.scheme}://{bare}{rest}", f"{parts.scheme}://{bare}:{port}{rest}"
