"""A provider whose API is described by data (`description`)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from maskline.courier import HttpReply, HttpRequest
from maskline.domain.message import Encoding
from maskline.sms.http.answers import basic_authorization, outcome_of_failure, throttled
from maskline.sms.http.content import FORM, content_of, count_of, is_form, word
from maskline.sms.http.description import OFFERED, Description, MessageRules, StatusRules
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
from maskline.sms.http.signatures import (
    Signed,
    bears_proof,
    challenge_of,
    is_genuine,
    proves_query,
    signature_headers,
)
from maskline.sms.http.templates import filled, filled_structure, filled_url, names
from maskline.sms.port import (
    MOST_MEDIA,
    Accepted,
    Arrival,
    InboundText,
    Media,
    Outcome,
    Outgoing,
    Receipt,
    Refused,
    Unknown,
)

BAD_KEYS = (401, 403, 404)
LEAST_VALIDITY, LONGEST_VALIDITY = 60, 172_800  # seconds
DIGITS = re.compile(r"\d{7,15}")
# Times since 1970 as providers give them, in seconds or milliseconds; so until the year 2286.
EPOCH = re.compile(r"[0-9]{10}([0-9]{3})?")
MILLISECOND_DIGITS = 13
ODD_FORM = "not of the form that the description expects"

Rules = TypeVar("Rules", MessageRules, StatusRules)


class Generic:
    """`values` are what the settings give for the description's values, `secrets` prove callbacks
    (the first also signs requests), `callbacks` is where `messages` and `status` reach us."""

    def __init__(
        self,
        carrier: str,
        description: Description,
        *,
        values: Mapping[str, str],
        secrets: Sequence[str],
        callbacks: str,
    ) -> None:
        self._carrier = carrier
        self._rules = description
        self._values = dict(values)
        self._secrets = tuple(secrets)
        self._callbacks = callbacks

    @property
    def carrier(self) -> str:
        return self._carrier

    def pieces(self, text: Outgoing) -> Sequence[Outgoing]:
        pictures = pictures_in(self._rules.request.media_body) if text.media else 0
        plain = text.words_beside(pictures).isascii()
        return in_pieces(text, self._rules.request.most(plain=plain), pictures)

    def request(self, text: Outgoing, now: int) -> HttpRequest:
        rules = self._rules.request
        media_body = rules.media_body if text.media else None
        values = {**self._values, **self._offered(text, now, pictures_in(media_body))}
        url = filled_url(rules.url, values)
        headers = {name: filled(part, values) for name, part in rules.headers.items()}
        headers |= self._authorization(values)
        body = b""
        if template := media_body or rules.body:
            content = filled_structure(template, values)
            headers.setdefault("Content-Type", FORM if rules.form else "application/json")
            body = (urlencode(content, doseq=True) if rules.form else to_json(content)).encode()
        if rules.signature and self._secrets:
            signed = Signed(url, {}, body, now / 1000)
            secret = self._secrets[0]
            headers |= signature_headers(rules.signature, secret, text.message_id, signed)
        return HttpRequest(rules.method, url, headers, body)

    def outcome(self, reply: HttpReply) -> Outcome:
        rules, answer = self._rules.answer, content_of(reply.body)
        code = word(found(rules.error, answer))
        refused = Refused(
            reason=rules.reasons.get(code, "rejected-by-carrier"), error=code or str(reply.status)
        )
        if reply.status == 429 or (code and code in rules.busy):
            return throttled(reply)
        if 200 <= reply.status < 300:
            if rules.accepted and not found(rules.accepted, answer):
                return refused
            return self._taken(answer)
        if code in rules.reasons:
            return refused
        return outcome_of_failure(reply, refused, bad_keys=BAD_KEYS)

    @property
    def challenge(self) -> str:
        return challenge_of(self._rules.signature) if self._rules.signature else ""

    def bears_proof(self, headers: Mapping[str, str]) -> bool:
        return self._rules.signature is not None and bears_proof(self._rules.signature, headers)

    def read(self, callback: Callback) -> Reading:
        rules, signature, now = self._rules, self._rules.signature, callback.received_at
        signed = Signed(callback.url, callback.headers, callback.body, now / 1000)
        if signature is None or not is_genuine(signature, self._secrets, signed):
            raise NotGenuine
        if not (callback.body or proves_query(signature)):  # nobody has signed what it says
            raise NotGenuine
        content = sent(callback)
        told = [
            *each(rules.messages, content, callback.kind == MESSAGES, partial(self._text, now)),
            *each(rules.status, content, callback.kind == STATUS, partial(self._receipt, now)),
        ]
        said = rules.thanks
        return Reading(
            arrivals=[one for one in told if not isinstance(one, Unreadable)],
            thanks=Thanks(said.status, said.content_type, said.body.encode()),
            fault=next((str(one) for one in told if isinstance(one, Unreadable)), ""),
        )

    def media_headers(self, url: str) -> Mapping[str, str]:
        """The Authorization of our own requests, for media at the place that they go to."""
        rules = self._rules.request
        values = {**dict.fromkeys(OFFERED, ""), **self._values}
        own, asked = urlsplit(filled_url(rules.url, values)), urlsplit(url)
        if (own.scheme, own.netloc) != (asked.scheme, asked.netloc):
            return {}
        named = {name.lower(): part for name, part in rules.headers.items()}
        if "authorization" in named:
            return {"Authorization": filled(named["authorization"], values)}
        return self._authorization(values)

    def _authorization(self, values: Mapping[str, Any]) -> dict[str, str]:
        basic = self._rules.request.basic
        if basic is None:
            return {}
        user, password = filled(basic.user, values), filled(basic.password, values)
        return {"Authorization": basic_authorization(user, password)}

    def _offered(self, text: Outgoing, now: int, pictures: int) -> dict[str, Any]:
        left = min(max((text.expires_at - now) // 1000, LEAST_VALIDITY), LONGEST_VALIDITY)
        until = datetime.fromtimestamp(now // 1000 + left, UTC)
        urls = [media.url for media in text.media[:MOST_MEDIA]]
        return {
            "source": text.source,
            "source_digits": text.source.removeprefix("+"),
            "destination": text.destination,
            "destination_digits": text.destination.removeprefix("+"),
            "text": text.words_beside(pictures),
            "message_id": text.message_id,
            "reference": str(text.reference),
            "valid_seconds": left,
            "valid_until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "media_urls": urls,
            "media_url": urls[0] if urls else None,
            "messages_url": f"{self._callbacks}/{MESSAGES}",
            "status_url": f"{self._callbacks}/{STATUS}",
        }

    def _taken(self, answer: Any) -> Outcome:
        rules = self._rules.answer
        message_id = word(found(rules.message_id, answer))
        if not message_id:
            return Unknown(reason="answer-without-id")
        segments = count_of(found(rules.segments, answer))
        return Accepted(message_ids=(message_id,), segments=segments)

    def _text(self, now: int, rules: MessageRules, item: Any) -> InboundText:
        message_id = word(jmespath.search(rules.message_id, item))
        destination = self._number(jmespath.search(rules.destination, item))
        source = self._number(jmespath.search(rules.source, item))
        if not message_id or not destination:
            raise Unreadable(f"a text without {'a destination' if message_id else 'an id'}")
        return InboundText(
            carrier=self._carrier,
            source=source,
            destination=destination,
            text=word(jmespath.search(rules.text, item)),
            encoding=Encoding.UTF8,
            received_at=now,
            message_id=message_id,
            media=tuple(media_of(rules, item)),
            to_group=bool(self._recipients(rules, item) - {source, destination}),
            sent_at=time_in(found(rules.sent_at, item)),
        )

    def _recipients(self, rules: MessageRules, item: Any) -> set[str]:
        several = found(rules.recipients, item)
        return set(map(self._number, several)) - {""} if isinstance(several, list) else set()

    def _receipt(self, now: int, rules: StatusRules, item: Any) -> Receipt | None:
        """None for a state that says nothing about a text of ours."""
        states = {theirs.lower(): ours for theirs, ours in rules.states.items()}
        told = word(jmespath.search(rules.state, item)).lower()
        message_id = word(jmespath.search(rules.message_id, item))
        if not message_id or not told:  # a text at the wrong address has none
            raise Unreadable(f"a status without {'a state' if message_id else 'an id'}")
        state = states.get(told)
        if state is None:
            return None
        reference = word(found(rules.reference, item))
        return Receipt(
            carrier=self._carrier,
            message_id=message_id,
            state=state,
            at=now,
            error=word(found(rules.error, item)) or None,
            source=self._number(found(rules.source, item)) or None,
            destination=self._number(found(rules.destination, item)) or None,
            reference=int(reference) if re.fullmatch(r"\d{1,5}", reference) else None,
            whole_up_to=self._rules.request.most(plain=False),
        )

    def _number(self, value: Any) -> str:
        text = word(value)
        return f"+{text}" if self._rules.digits and DIGITS.fullmatch(text) else text


def pictures_in(media_body: Any) -> int:
    """How many pictures a body has a place for."""
    used = set(names(media_body))
    return MOST_MEDIA if "media_urls" in used else int("media_url" in used)


def to_json(content: Any) -> str:
    return msgspec.json.encode(content).decode()


def sent(callback: Callback) -> Any:
    """What a callback holds: JSON, or the fields of a form or a query, each as a text."""
    form = is_form(callback)
    if callback.body and not form:
        content = content_of(callback.body)
        if content is None:
            raise Unreadable("neither JSON nor a form")
        return content
    text = callback.body.decode("utf-8", "replace") if form else callback.query
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=500)
    except ValueError:
        raise Unreadable("too many fields") from None
    return {name: values[0] for name, values in fields.items()}


def found(expression: str | None, content: Any) -> Any:
    """What stands there; None where nothing does, or where the content has another form."""
    if expression is None or content is None:
        return None
    try:
        return jmespath.search(expression, content)
    except JMESPathError:
        return None


def time_in(value: Any) -> int | None:
    """A time (ISO 8601, or seconds or milliseconds since the epoch) in milliseconds since the
    epoch; None for whatever else."""
    text = word(value)
    if EPOCH.fullmatch(text):
        return int(text.ljust(MILLISECOND_DIGITS, "0"))
    try:
        given = datetime.fromisoformat(text)
        return int(given.replace(tzinfo=given.tzinfo or UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def each(
    rules: Rules | None, content: Any, own_path: bool, read: Callable[[Rules, Any], Arrival | None]
) -> Iterator[Arrival | Unreadable]:
    """What is read of the items that these rules are for; of one that cannot be read, why."""
    if rules is None or (rules.when is None and not own_path):
        return
    for item in items_of(rules, content):
        try:
            wanted = rules.when is None or jmespath.search(rules.when, item)
            arrival = read(rules, item) if wanted else None
        except Unreadable as error:
            yield error
        except JMESPathError:
            yield Unreadable(ODD_FORM)
        else:
            if arrival is not None:
                yield arrival


def items_of(rules: MessageRules | StatusRules, content: Any) -> list[Any]:
    try:
        items = jmespath.search(rules.items, content)
    except JMESPathError:
        raise Unreadable(ODD_FORM) from None
    return [item for item in (items if isinstance(items, list) else [items]) if item is not None]


def media_of(rules: MessageRules, item: Any) -> Iterator[Media]:
    urls, types = found(rules.media, item), found(rules.media_types, item)
    urls = urls if isinstance(urls, list) else [urls]
    types = types if isinstance(types, list) else [types]
    for place, url in enumerate(urls):
        if isinstance(url, str) and url:
            kind = types[place] if place < len(types) else None
            yield Media(url=url, content_type=word(kind))
