"""A provider's API described by data: which request sends a text, what its answer and its
callbacks say. The descriptions that come with us lie in `providers/`.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError
from msgspec import Meta, Struct

from maskline.domain.message import Reported
from maskline.sms.http.signatures import SignatureRules
from maskline.sms.http.templates import BadTemplate, names
from maskline.sms.port import ALL

# What a placeholder of a request can stand for, beside the values that the settings give.
OFFERED = (
    "source", "source_digits", "destination", "destination_digits", "text", "message_id",
    "reference", "valid_seconds", "valid_until", "media_urls", "media_url", "messages_url",
    "status_url",
)  # fmt: skip


Length = Annotated[int, Meta(ge=160)]  # a link must fit, and then some


class BadDescription(Exception):
    """A description that cannot be used; the text says what is wrong with it."""


class Basic(Struct, frozen=True, forbid_unknown_fields=True):
    """User and password of the Authorization header."""

    user: str
    password: str


class RequestRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The request that sends a text. `media_body` takes the place of `body` for one with media;
    without it, links stand in the text. `form`: the body is no JSON but a form. A text of more than
    `most_characters` goes in several requests; `most_unicode` holds for one that is not all ASCII.
    """

    url: str
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[str, str] = {}
    basic: Basic | None = None
    body: dict[str, Any] | None = None
    media_body: dict[str, Any] | None = None
    form: bool = False
    signature: SignatureRules | None = None
    most_characters: Length = ALL
    most_unicode: Length = ALL

    def most(self, *, plain: bool) -> int:
        """How long a text may be that goes in one request; `plain`: all ASCII."""
        return self.most_characters if plain else min(self.most_characters, self.most_unicode)


class AnswerRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where things stand in the answer (JMESPath). `accepted` must be true of a success that says
    no by its content. `busy` are error codes that mean "try later", `reasons` our words for codes
    of texts that will never be taken."""

    message_id: str
    accepted: str | None = None
    segments: str | None = None
    error: str | None = None
    busy: tuple[str, ...] = ()
    reasons: dict[str, str] = {}


class MessageRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where things stand in a callback with texts. `items` gives one or a list of them, `when` must
    be true of one that is a text; without it, all that come to the path of messages are.
    `recipients` gives all that it went to, `sent_at` when the provider got it (ISO 8601, or seconds
    or milliseconds since 1970)."""

    message_id: str
    source: str
    destination: str
    text: str
    items: str = "@"
    when: str | None = None
    media: str | None = None
    media_types: str | None = None
    recipients: str | None = None
    sent_at: str | None = None


class StatusRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where things stand in a callback about a text of ours. `states` gives our word for each of
    theirs; a state that it does not name says nothing."""

    message_id: str
    state: str
    states: dict[str, Reported]
    items: str = "@"
    when: str | None = None
    error: str | None = None
    source: str | None = None
    destination: str | None = None
    reference: str | None = None


class ThanksRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answer to a callback whose content was kept."""

    status: int = 200
    content_type: str = "application/json"
    body: str = "{}"


class Description(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`values` are those that the settings must give, each with what it is. `digits`: numbers come
    in as digits alone, without their plus."""

    about: str
    request: RequestRules
    answer: AnswerRules
    values: dict[str, str] = {}
    digits: bool = False
    messages: MessageRules | None = None
    status: StatusRules | None = None
    signature: SignatureRules | None = None
    thanks: ThanksRules = ThanksRules()


def shipped() -> list[str]:
    """The names of the descriptions that come with us."""
    folder = resources.files("maskline.sms.http.providers")
    return sorted(each.name[:-5] for each in folder.iterdir() if each.name.endswith(".toml"))


def load(provider: str) -> Description:
    """The description of this name, or in the file at this path; raises BadDescription."""
    try:
        if "/" in provider or provider.endswith(".toml"):
            text = Path(provider).read_text(encoding="utf-8-sig")
        elif provider in shipped():
            folder = resources.files("maskline.sms.http.providers")
            text = (folder / f"{provider}.toml").read_text(encoding="utf-8")
        else:
            offered = ", ".join(shipped())
            told = f"there is no {provider!r}, only {offered}; or name a file in description"
            raise BadDescription(f"http.provider: {told}")
        return read(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise BadDescription(f"http.description: cannot use {provider}: {said}") from None


def read(table: dict[str, Any]) -> Description:
    """The description that a TOML document holds; raises BadDescription."""
    try:
        found = msgspec.convert(table, Description)
        check_placeholders(found)
        for rules in (found.signature, found.request.signature):
            check_signature(rules)
        check_expressions(msgspec.to_builtins(found))
    except (msgspec.ValidationError, BadTemplate) as error:
        raise BadDescription(str(error)) from None
    return found


def check_placeholders(found: Description) -> None:
    request = found.request
    basic = [request.basic.user, request.basic.password] if request.basic else []
    known = {*OFFERED, *found.values}
    if not request.url.startswith(("http://", "https://", "{")):
        raise BadDescription(f"request.url: {request.url!r} is not a URL such as https://…")
    for template in (request.url, request.headers, basic, request.body, request.media_body):
        for name in names(template):
            if name not in known:
                raise BadDescription(f"request: {{{name}}} is neither offered nor among the values")
    for name in names([*request.headers.values(), *basic]):
        if name in OFFERED:  # what people write has no place there
            raise BadDescription(f"request: {{{name}}} cannot stand in a header")


def check_signature(rules: SignatureRules | None) -> None:
    """Whether what is signed can be put together, and holds what it is to prove."""
    if rules is None or rules.kind not in ("hmac-sha256", "ed25519"):
        return
    named = set(names(rules.signed))
    if "body" not in named:
        raise BadDescription("signature.signed: without {body} it would prove nothing of it")
    headers = {"timestamp": rules.timestamp_header, "nonce": rules.nonce_header}
    for name in sorted(named - {"body", "url"}):
        if name not in headers:
            raise BadDescription(f"signature.signed: there is no {{{name}}}")
        if headers[name] is None:
            raise BadDescription(f"signature.{name}_header: missing; signed has {{{name}}}")


def check_expressions(parts: Mapping[str, Any]) -> None:
    for name in ("answer", "messages", "status"):
        for key, text in (parts[name] or {}).items():
            if isinstance(text, str):
                try:
                    jmespath.compile(text)
                except JMESPathError:
                    raise BadDescription(f"{name}.{key}: {text!r} is no JMESPath") from None
