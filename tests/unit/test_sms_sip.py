"""Texts over SIP: what the script reads of a MESSAGE, what the link sends, what answers mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inbox import Inbox
from waiting import beside

from maskline.domain.message import Encoding
from maskline.engines.control import Reply
from maskline.engines.journal import Journal
from maskline.engines.switch import SwitchRefusal
from maskline.engines.switchboard import Switchboard
from maskline.operations import Context
from maskline.sms.port import (
    Accepted,
    InboundText,
    Media,
    Outcome,
    Outgoing,
    Refused,
    TryLater,
    Unknown,
)
from maskline.sms.sip import SipLink, accept, international, outcome_of, split
from maskline.store import StoreFailed, open_store
from maskline_sip import sip, texts
from maskline_sip.texts import NoText

REQUEST = {
    "CarrierName": "acme",
    "Caller": "+12065550100",
    "Called": "19135550199",
    "Text": "Grüße",
    "MessageId": "abc",
}


# -- what the script reads


def message(body: bytes, *headers: str) -> sip.Message:
    lines = [
        "MESSAGE sip:+19135550199@192.0.2.1 SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bKx",
        "From: <sip:+12065550100@h>;tag=1", "To: <sip:+19135550199@h>", "Call-ID: c",
        "CSeq: 1 MESSAGE", *headers,
    ]  # fmt: skip
    return sip.parse("\r\n".join([*lines, "", ""]).encode() + body, strict=False)


@pytest.mark.parametrize(
    "kind",
    [
        *("text/plain", "text/plain;charset=UTF-8", 'Text/Plain; charset="utf-8"; format=flowed'),
        "text/plain;charset=us-ascii",
    ],
)
def test_plain_text_is_read(kind: str) -> None:
    assert texts.read(message("Grüße 😀\r\n".encode(), f"Content-Type: {kind}")) == "Grüße 😀\r\n"


def test_text_without_a_type_is_plain() -> None:
    assert texts.read(message(b"Hi")) == "Hi"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x", ["Content-Type: message/cpim"], 415),
        (b"x", ["Content-Type: multipart/mixed;boundary=b"], 415),
        (b"x", ["Content-Type: text/html"], 415),
        (b"x", ["Content-Type: application/im-iscomposing+xml"], 415),
        (b"x", ["Content-Type: text/plain;charset=iso-8859-1"], 415),
        (b"x", ["Content-Type: text/plain", "Content-Encoding: gzip"], 415),
        (b"x", ["c: text/plain", "e: gzip"], 415),
        (b"x" * 20_001, ["Content-Type: text/plain"], 413),
        (b"\xff\xfe", ["Content-Type: text/plain"], 400),
        (b"a\0b", ["Content-Type: text/plain"], 400),
        (b"", ["Content-Type: text/plain"], 400),
        (b"cut o", ["Content-Type: text/plain", "Content-Length: 7"], 400),
    ],
)
def test_what_is_no_plain_text_is_refused(body: bytes, headers: list[str], status: int) -> None:
    with pytest.raises(NoText) as refused:
        texts.read(message(body, *headers))
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("date", "milliseconds"),
    [
        (["Date: Sat, 13 Nov 2010 23:29:00 GMT"], 1_289_690_940_000),
        ([], None),
        (["Date: Sat, 13 Nov 2010 23:29:00 +0100"], None),  # a SIP-date is of GMT
        (["Date: 2010-11-13T23:29:00Z"], None),
        (["Date: Sat, 31 Feb 2010 23:29:00 GMT"], None),
        (["Date: Wed, 31 Dec 1969 23:59:59 GMT"], None),
        (["Date: Sat, 01 Jan 0001 00:00:00 GMT"], None),
    ],
)
def test_a_text_says_when_it_was_sent(date: list[str], milliseconds: int | None) -> None:
    assert texts.sent_at(message(b"Hi", *date)) == milliseconds


# -- in


async def test_a_text_is_accepted_when_it_is_kept() -> None:
    inbox = Inbox()
    assert await accept(inbox, REQUEST) == {"SipStatus": 202}
    (text,) = inbox.taken
    assert isinstance(text, InboundText)
    assert (text.source, text.destination) == ("+12065550100", "+19135550199")
    assert (text.text, text.message_id, text.encoding) == ("Grüße", "abc", Encoding.UTF8)
    assert text.sent_at is None
    await accept(inbox, REQUEST | {"SentTimestamp": 1_289_690_940_000})
    assert isinstance(late := inbox.taken[-1], InboundText)
    assert late.sent_at == 1_289_690_940_000


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (TryLater(after=7.4, reason="full"), {"SipStatus": 503, "RetryAfter": 7}),
        (TryLater(reason="full"), {"SipStatus": 503, "RetryAfter": 5}),
        (StoreFailed("disk full"), {"SipStatus": 503, "RetryAfter": 5}),
        (Refused(reason="no-session", sip_status=404), {"SipStatus": 404}),
    ],
)
async def test_what_is_not_kept_is_answered_by_what_became_of_it(
    verdict: Any, answer: dict[str, int]
) -> None:
    inbox = Inbox()
    inbox.verdict = verdict
    assert await accept(inbox, REQUEST) == answer


@pytest.mark.parametrize(
    ("given", "read"),
    [
        *(("+12065550100", "+12065550100"), ("12065550100", "+12065550100"), ("", "")),
        *(("0301234567", "0301234567"), ("12345", "12345"), ("ACME", "ACME")),
    ],
)
def test_international_numbers_have_their_plus(given: str, read: str) -> None:
    assert international(given) == read


async def test_the_switch_hands_texts_on_and_turns_others_away(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path / 'maskline.db'}")

    def context(tx: Any) -> Context:
        return Context(tx=tx, account_id="", now=0, new_id=lambda: "")

    inbox = Inbox()
    switchboard = Switchboard(
        store, context, Journal(tmp_path), lambda request: accept(inbox, request)
    )
    assert await switchboard.ask("AcceptMessage", REQUEST) == {"SipStatus": 202}
    with pytest.raises(SwitchRefusal):
        await switchboard.ask("AcceptMessage", REQUEST | {"Text": ""})
    assert await Switchboard(store, context, Journal(tmp_path)).ask("AcceptMessage", REQUEST) == {
        "SipStatus": 405
    }
    store.close()


# -- out


class Trunk:
    """Answers as the test says; what it was sent."""

    def __init__(self, *answers: Reply | None) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, str, str, bytes]] = []
        self.is_up = True

    async def send(self, *text: Any) -> Reply | None:
        self.sent.append(text)
        return self.answers.pop(0) if self.answers else Reply(202)

    def up(self) -> bool:
        return self.is_up


def outgoing(words: str = "Hello", name: str = "m1", media: tuple[Media, ...] = ()) -> Outgoing:
    return Outgoing(
        message_id=name,
        reference=7,
        source="+19135550199",
        destination="+14015550101",
        text=words,
        expires_at=0,
        media=media,
    )


@asynccontextmanager
async def running(trunk: Trunk, inbox: Inbox, packets: bool = True) -> AsyncIterator[SipLink]:
    link = SipLink("acme", trunk.send, trunk.up, packets=packets)
    async with beside(link.run(inbox)):
        await asyncio.sleep(0)
        yield link


async def told(inbox: Inbox) -> None:
    """Returns when a text has its outcome."""
    async with asyncio.timeout(10):
        while not inbox.outcomes:
            await asyncio.sleep(0.001)


async def sent(trunk: Trunk, text: Outgoing, packets: bool = True) -> Outcome:
    inbox = Inbox()
    async with running(trunk, inbox, packets) as link:
        link.submit([text])
        await told(inbox)
    return inbox.outcomes[text.message_id]


async def test_a_text_goes_out_under_a_name_that_stays_its_own() -> None:
    trunk = Trunk()
    first = await sent(trunk, outgoing())
    await sent(trunk, outgoing())
    await sent(trunk, outgoing(name="m2"))
    names = [each[2] for each in trunk.sent]
    assert names[0] == names[1] != names[2]
    assert trunk.sent[0][:2] == ("+19135550199", "+14015550101")
    # No receipt will speak of it by any name.
    assert first == Accepted(message_ids=(), segments=1, encoding=Encoding.UTF8)


async def test_a_long_text_goes_in_packets_that_fit_and_whole_over_a_stream() -> None:
    words = "Straße " * 300
    trunk = Trunk()
    outcome = await sent(trunk, outgoing(words))
    assert isinstance(outcome, Accepted)
    assert outcome.segments == len(trunk.sent) == 3
    assert b"".join(each[3] for each in trunk.sent).decode() == words
    trunk = Trunk()
    await sent(trunk, outgoing(words), packets=False)
    assert [each[3].decode() for each in trunk.sent] == [words]


async def test_a_long_text_that_is_put_off_midway_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = " ".join(str(number) for number in range(500))
    trunk = Trunk(Reply(202), Reply(503, 0.01), Reply(503, 0.01), Reply(202), Reply(202))
    assert isinstance(await sent(trunk, outgoing(words)), Accepted)
    first, second, third = dict.fromkeys(each[3] for each in trunk.sent)
    assert [each[3] for each in trunk.sent] == [first, second, second, second, third]
    # Not for ever: others wait for the place that it takes.
    monkeypatch.setattr("maskline.sms.patience.PATIENCE_SECONDS", 0.0)
    trunk = Trunk(Reply(202), *[Reply(503, 0.01)] * 9)
    assert await sent(trunk, outgoing(words)) == Unknown(reason="sip-503")
    assert len(trunk.answers) == 8


async def test_of_a_text_that_is_recalled_nothing_more_is_sent() -> None:
    trunk, inbox = Trunk(Reply(202), *[Reply(503, 0.01)] * 9_999), Inbox()
    text = outgoing(" ".join(str(number) for number in range(500)))
    async with running(trunk, inbox) as link, asyncio.timeout(10):
        link.submit([text])
        while len(trunk.sent) < 3:
            await asyncio.sleep(0.001)
        link.recall([text.message_id])
        await told(inbox)
    assert inbox.outcomes[text.message_id] == Unknown(reason="recalled")


async def test_links_stand_in_the_text() -> None:
    trunk = Trunk()
    await sent(trunk, outgoing(media=(Media(url="https://a/m/1", content_type="image/png"),)))
    assert trunk.sent[0][3] == b"Hello\nhttps://a/m/1"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(200), Accepted(message_ids=())),
        (Reply(202), Accepted(message_ids=())),
        (None, Unknown(reason="no-answer")),
        (Reply(408), Unknown(reason="no-answer")),
        (Reply(404), Refused(reason="bad-destination", error="404")),
        (Reply(415), Refused(reason="bad-content", error="415")),
        (Reply(513), Refused(reason="bad-content", error="513")),
        (Reply(403), Refused(reason="rejected-by-carrier", error="403")),
        (Reply(603), Refused(reason="rejected-by-carrier", error="603")),
        (Reply(503, 30.0), TryLater(after=30.0, reason="sip-503")),
        (Reply(503, 999_999.0), TryLater(after=3_600.0, reason="sip-503")),
        (Reply(500), TryLater(after=None, reason="sip-500")),
        (Reply(480), TryLater(after=None, reason="sip-480")),
    ],
)
def test_a_reply_says_what_became_of_the_text(reply: Reply | None, outcome: Outcome) -> None:
    assert outcome_of(reply) == outcome


async def test_a_busy_trunk_rests_and_a_dead_one_has_no_room() -> None:
    trunk, inbox = Trunk(Reply(503, 0.05)), Inbox()
    async with running(trunk, inbox) as link:
        link.submit([outgoing()])
        await told(inbox)
        assert not link.health.up
        async with asyncio.timeout(10):
            while not link.room:
                await asyncio.sleep(0.01)
        trunk.is_up = False
        assert link.room == 0


async def test_a_trunk_that_answers_again_is_well_whatever_it_says_of_a_number() -> None:
    trunk, inbox = Trunk(Reply(503, 0.05), Reply(404)), Inbox()
    async with running(trunk, inbox) as link:
        for well in (False, True):
            inbox.outcomes.clear()
            link.submit([outgoing()])
            await told(inbox)
            assert link.health.up is well


async def test_trouble_of_long_ago_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text may come for hours that would show that the trunk is well again."""
    trunk, inbox = Trunk(Reply(503, 0.05)), Inbox()
    async with running(trunk, inbox) as link:
        link.submit([outgoing()])
        await told(inbox)
        assert not link.health.up
        monkeypatch.setattr("maskline.sms.trouble.NEWS_SECONDS", 0.0)
        assert link.health.up


@pytest.mark.parametrize("status", [480, 404, 513, 603])
async def test_what_is_about_one_number_lets_the_trunk_work_on(status: int) -> None:
    trunk, inbox = Trunk(Reply(status, 30.0)), Inbox()
    async with running(trunk, inbox) as link:
        link.submit([outgoing()])
        await told(inbox)
        assert link.room
        assert link.health.up


async def test_a_link_that_is_stopped_gives_every_text_its_outcome() -> None:
    inbox = Inbox()

    async def never(*_: Any) -> Reply | None:
        await asyncio.Event().wait()
        return None

    trunk = Trunk()
    trunk.send = never  # type: ignore[method-assign]
    async with running(trunk, inbox) as link:
        link.submit([outgoing(name="a")])
        await asyncio.sleep(0)
        link.submit([outgoing(name="b")])
    assert inbox.outcomes == dict.fromkeys(("a", "b"), Unknown(reason="stopped"))


@given(st.text(max_size=300), st.integers(8, 60))
def test_pieces_are_small_and_hold_the_whole_text(words: str, most: int) -> None:
    pieces = split(words, most)
    assert b"".join(pieces).decode() == words
    assert all(len(piece) <= most for piece in pieces)
    assert all(piece.decode() for piece in pieces[:-1])


def test_no_piece_ends_within_a_link() -> None:
    links = [f"https://sms.example.com/media/{n:024}" for n in range(10)]
    pieces = split("\n".join(["Five pictures and some words " * 10, *links]), 800)
    assert len(pieces) == 2
    assert all(link in (pieces[0] + b"\n" + pieces[1]).decode().splitlines() for link in links)


@pytest.mark.parametrize("unit", ["\N{WOMAN}\u200d\N{GIRL}", "กำ", "e\u0301", "\N{BOY}\U0001f3ff"])
def test_no_piece_ends_within_what_a_reader_sees_as_a_character(unit: str) -> None:
    pieces = split(unit * 300, 799)
    assert len(pieces) > 1
    assert all(piece.decode().replace(unit, "") == "" for piece in pieces)
