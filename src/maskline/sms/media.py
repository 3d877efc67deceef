"""What comes with a text: fetched from the provider, drawn anew, kept, and passed on by a link of
our own that ends. The provider's URL goes no further than here.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

import msgspec
import structlog

from maskline.courier import Courier, ForbiddenPlace, HttpReply, HttpRequest, NotCarried
from maskline.operations import Context
from maskline.operations.pictures import keep_picture, new_token
from maskline.sms.drawing import drawn
from maskline.sms.pictures import NotAPicture
from maskline.sms.port import MOST_MEDIA, InboundText, Media
from maskline.store import Store, Transaction

PATH = "/media/"
FETCH_SECONDS = 8.0
ALL_SECONDS = 12.0  # providers wait some 15 seconds for their answer
ATTEMPTS, PAUSE_SECONDS = 2, 0.5
HOPS = 3
FETCHED_AT_ONCE = 10
AT_ONCE = 2  # pictures drawn anew at a time: each takes a core and much memory
UNSEEN = ("application/smil", "application/smil+xml")  # how a phone arranges the rest
SHEET = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[?!][^>]*>\s*)*<smil[\s>/]", re.IGNORECASE)

HeadersOf = Callable[[str], Mapping[str, str]]  # by URL; raises ValueError for what is none

log = structlog.get_logger()


class NotPassedOn(Exception):
    """Something that came with a text stays behind. The text is a word for the log."""


@dataclass(frozen=True, kw_only=True)
class PictureRules:
    """`public_url` is where links lead; without one nothing is passed on. `notice` goes with a
    text of which something stayed behind."""

    public_url: str | None
    most_bytes: int
    keep_milliseconds: int
    notice: str


class MediaIntake:
    """Safe for use by many at once."""

    def __init__(
        self, store: Store, context: Callable[[Transaction], Context], rules: PictureRules
    ) -> None:
        self._store = store
        self._context = context
        self._rules = rules
        self._fetching = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._drawing = asyncio.Semaphore(AT_ONCE)
        # One at a time for each sender: nobody's pictures keep all others' waiting.
        self._of_sender: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def leave_behind(self, text: InboundText) -> InboundText:
        """The text without what came with it, which is told."""
        return msgspec.structs.replace(text, media=(), notice=self._rules.notice)

    async def pass_on(
        self,
        text: InboundText,
        courier: Courier,
        headers_of: HeadersOf,
    ) -> InboundText:
        """The text with links of ours for what came with it; what cannot be passed on is told."""
        seen = [media for media in text.media if kind_of(media.content_type) not in UNSEEN]
        tried = seen[:MOST_MEDIA]
        ends = asyncio.get_running_loop().time() + ALL_SECONDS
        turn = self._of_sender.setdefault(text.source, asyncio.Lock())
        found = await asyncio.gather(
            *(self._in_time(ends, media, courier, headers_of, turn) for media in tried),
            return_exceptions=True,
        )
        passed = tuple(media for media in found if isinstance(media, Media))
        behind = [error for error in found if isinstance(error, BaseException)]
        for error in behind:
            if not isinstance(error, NotPassedOn | TimeoutError):
                raise error
            log.warning("attachment stays behind", carrier=text.carrier, reason=word(error))
        if len(tried) < len(seen):
            log.warning("attachments stay behind", carrier=text.carrier, reason="too many")
        notice = self._rules.notice if behind or len(tried) < len(seen) else ""
        return msgspec.structs.replace(text, media=passed, notice=notice)

    async def _in_time(
        self,
        ends: float,
        media: Media,
        courier: Courier,
        headers_of: HeadersOf,
        turn: asyncio.Lock,
    ) -> Media | None:
        async with asyncio.timeout_at(ends):
            return await self._one(media, courier, headers_of, turn)

    async def _one(
        self, media: Media, courier: Courier, headers_of: HeadersOf, turn: asyncio.Lock
    ) -> Media | None:
        """Our link to it; None for what nobody sees. Not every provider says before what it is."""
        if not self._rules.public_url:
            raise NotPassedOn("no-public-url")
        try:
            request = HttpRequest("GET", media.url, headers_of(media.url))
        except ValueError:
            raise NotPassedOn("no URL") from None
        async with self._fetching:
            reply = await self._fetch(request, courier)
        if is_sheet(reply):
            return None
        try:
            async with turn, self._drawing:
                content_type, clean = await drawn(reply.body, self._rules.most_bytes)
        except NotAPicture as error:
            raise NotPassedOn(f"no picture: {error}") from None
        token, keep = new_token(), self._rules.keep_milliseconds
        await self._store.write(
            lambda tx: keep_picture(self._context(tx), token, content_type, clean, keep)
        )
        return Media(url=self._rules.public_url + PATH + token, content_type=content_type)

    async def _fetch(self, request: HttpRequest, courier: Courier) -> HttpReply:
        """What is there. Providers tell of media a moment too early, so a miss is tried again."""
        reason = ""
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(PAUSE_SECONDS if attempt else 0)
            try:
                reply = await courier.fetch(
                    request, hops=HOPS, seconds=FETCH_SECONDS, most_bytes=self._rules.most_bytes
                )
            except ForbiddenPlace as error:
                raise NotPassedOn(str(error)) from None
            except (NotCarried, TimeoutError) as error:
                reason = word(error)
                continue
            if reply.status == 200 and reply.body:
                return reply
            reason = f"http-{reply.status}"
        raise NotPassedOn(reason)


def is_sheet(reply: HttpReply) -> bool:
    """Whether it tells a phone how to arrange the rest, and nobody anything. Some providers keep it
    as some XML or other."""
    kind = kind_of(reply.headers.get("content-type", ""))
    return kind in UNSEEN or SHEET.match(reply.body[:1000]) is not None


def kind_of(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def word(error: BaseException) -> str:
    return str(error) or type(error).__name__
