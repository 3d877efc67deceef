"""The link that sends by HTTP, with a real peer on the loopback."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from carrier_door import LOOPBACK, PUBLIC, provider
from fake_twilio import TOKEN, FakeTwilio, segments_of
from inbox import Inbox
from waiting import beside, until

from maskline.courier import Courier
from maskline.domain.bucket import Bucket
from maskline.sms.http.link import HttpLink
from maskline.sms.port import Accepted, Media, Outgoing, Refused, TryLater, Unknown


def text(name: str, to: str = "+14015550101", words: str = "Hello") -> Outgoing:
    return Outgoing(
        message_id=name,
        reference=7,
        source="+19135550199",
        destination=to,
        text=words,
        expires_at=time.time_ns() // 1_000_000 + 60_000,
    )


@asynccontextmanager
async def running(
    fake: FakeTwilio, inbox: Inbox, token: str = TOKEN, mms: bool = True, **choices: Any
) -> AsyncIterator[HttpLink]:
    rules = {"most_at_once": 8, "per_second": 1000.0} | choices
    link = HttpLink(provider(fake, token, mms), Courier(LOOPBACK), **rules)
    async with beside(link.run(inbox)):
        await until(lambda: link.room)
        yield link


async def test_a_text_goes_out_and_its_outcome_comes_back(twilio: FakeTwilio) -> None:
    inbox = Inbox()
    async with running(twilio, inbox) as link:
        link.submit([text("a"), text("b", words="Zweite ✓")])
        await until(lambda: len(inbox.outcomes) == 2)
        assert link.health.up
    assert {fields["Body"][0] for fields in twilio.sent} == {"Hello", "Zweite ✓"}
    sids = {outcome.message_ids[0] for outcome in inbox.outcomes.values()}  # type: ignore[union-attr]
    assert sids == {f"SM{1:032x}", f"SM{2:032x}"}


LINKS = tuple(Media(url=f"{PUBLIC}/media/{n:024}", content_type="image/png") for n in range(10))
NOTICE = "\n(An attachment could not be passed on.)"
LONGEST = ("ein Wort " * 200)[:1530] + NOTICE


@pytest.mark.parametrize("mms", [True, False])
async def test_a_text_too_long_for_one_request_arrives_in_several_in_order(
    twilio: FakeTwilio, mms: bool
) -> None:
    inbox = Inbox()
    long = msgspec.structs.replace(text("a", words=LONGEST + "x" * 40), media=LINKS)
    async with running(twilio, inbox, mms=mms) as link:
        link.submit([long])
        await until(lambda: inbox.outcomes)
    bodies = [fields["Body"][0] for fields in twilio.sent]
    assert "".join(bodies) == (long.text if mms else long.in_words)
    urls = [each.url for each in LINKS]
    pictures = [fields.get("MediaUrl", []) for fields in twilio.sent]
    assert pictures == [[], urls if mms else []]
    assert set(urls).isdisjoint(bodies[1].splitlines()) is mms
    outcome = inbox.outcomes["a"]
    assert isinstance(outcome, Accepted)
    assert outcome.message_ids == tuple(f"SM{n:032x}" for n in (1, 2))
    assert outcome.segments == sum(int(segments_of(fields)) for fields in twilio.sent)


async def test_a_text_that_is_put_off_midway_goes_on_from_there(
    twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.sms.http.link.PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("maskline.sms.patience.FIRST_PAUSE", 0.001)
    taken, later = (201, {"sid": "SM1"}, {}), (429, {"code": 20429}, {})
    inbox = Inbox()
    async with running(twilio, inbox) as link:
        twilio.answers += [taken, later, later]
        link.submit([text("a", words=LONGEST + LONGEST)])
        await until(lambda: inbox.outcomes)
        assert inbox.outcomes["a"] == Accepted(message_ids=("SM1", f"SM{1:032x}"), segments=12)
        assert twilio.sent[0]["Body"][0].endswith(NOTICE)
        # Not for ever: others wait for the place that it takes.
        monkeypatch.setattr("maskline.sms.patience.PATIENCE_SECONDS", 0.0)
        twilio.answers += [taken, later, later]
        await until(lambda: link.room)
        link.submit([text("b", words=LONGEST + LONGEST)])
        await until(lambda: "b" in inbox.outcomes)
        assert inbox.outcomes["b"] == Unknown(reason="throttled")


async def test_of_a_text_that_is_recalled_nothing_more_is_sent(
    twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.sms.http.link.PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("maskline.sms.patience.FIRST_PAUSE", 0.001)
    inbox = Inbox()
    async with running(twilio, inbox) as link:
        twilio.answers += [(201, {"sid": "SM1"}, {}), *[(429, {"code": 20429}, {})] * 10_000]
        link.submit([text("a", words=LONGEST + LONGEST)])
        await until(lambda: len(twilio.asked) > 2)
        link.recall(["a", "another"])
        await until(lambda: inbox.outcomes)
        assert inbox.outcomes.pop("a") == Unknown(reason="recalled")
        twilio.answers.clear()
        link.submit([text("a", words=LONGEST + LONGEST)])  # the next time nobody recalls it
        await until(lambda: inbox.outcomes)
    assert isinstance(inbox.outcomes["a"], Accepted)


async def test_a_refusal_is_told_and_the_link_goes_on(twilio: FakeTwilio) -> None:
    inbox = Inbox()
    twilio.answers += [(400, {"code": 21610}, {})]
    async with running(twilio, inbox) as link:
        link.submit([text("a")])
        await until(lambda: inbox.outcomes)
        assert link.room
    assert inbox.outcomes["a"] == Refused(reason="opted-out", error="21610")


async def test_a_busy_carrier_is_left_alone_for_as_long_as_it_says(twilio: FakeTwilio) -> None:
    inbox = Inbox()
    twilio.answers += [(429, {"code": 20429}, {"Retry-After": "1"})]
    async with running(twilio, inbox) as link:
        readies = inbox.readies
        link.submit([text("a")])
        await until(lambda: inbox.outcomes)
        assert inbox.outcomes["a"] == TryLater(after=1.0, reason="throttled")
        assert link.room == 0
        assert not link.health.up
        await until(lambda: inbox.readies > readies)  # it says when it has room again
        assert link.room
        link.submit([text("b")])
        await until(lambda: "b" in inbox.outcomes)
        assert link.health.up


async def test_wrong_keys_keep_texts_waiting(
    twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox()
    async with running(twilio, inbox, token="wrong") as link:
        link.submit([text("a")])
        await until(lambda: inbox.outcomes)
        assert link.health.state == "away: credentials-refused"
        monkeypatch.setattr("maskline.sms.trouble.NEWS_SECONDS", 0.0)
        assert link.health.up  # as far as anybody knows, after so long
    assert inbox.outcomes["a"] == TryLater(after=60.0, reason="credentials-refused")


async def test_a_text_that_is_refused_as_by_wrong_keys_keeps_no_others_waiting(
    twilio: FakeTwilio,
) -> None:
    inbox = Inbox()
    async with running(twilio, inbox) as link:
        link.submit([text("a")])
        await until(lambda: inbox.outcomes)
        twilio.answers += [(404, {"code": 20404}, {})]
        link.submit([text("b")])
        await until(lambda: "b" in inbox.outcomes)
        assert inbox.outcomes["b"] == TryLater(after=60.0, reason="credentials-refused")
        assert link.room
        assert link.health.up


async def test_a_carrier_that_is_not_there_keeps_texts_waiting(twilio: FakeTwilio) -> None:
    inbox = Inbox()
    twilio.port = 1
    async with running(twilio, inbox) as link:
        link.submit([text("a")])
        await until(lambda: inbox.outcomes)
    assert inbox.outcomes["a"] == TryLater(after=5.0, reason="not-reached")


async def test_failures_in_a_row_are_about_the_carrier(twilio: FakeTwilio) -> None:
    inbox = Inbox()
    twilio.answers += [(500, {}, {})] * 3
    async with running(twilio, inbox) as link:
        for place in range(2):
            link.submit([text(f"{place}")])
            await until(lambda: len(inbox.outcomes) == place + 1)  # noqa: B023  it is awaited here
            assert link.room
        link.submit([text("2")])
        await until(lambda: len(inbox.outcomes) == 3)
        assert link.room == 0
        assert link.health.detail == "http-500"
        await until(lambda: link.room)
        link.submit([text("3")])
        await until(lambda: len(inbox.outcomes) == 4)
        assert link.health.up


async def test_an_answer_that_never_comes_is_not_taken_for_one(twilio: FakeTwilio) -> None:
    inbox = Inbox()
    twilio.answers += [(500, {}, {}), (201, {"nothing": 1}, {})]
    async with running(twilio, inbox) as link:
        link.submit([text("a")])
        await until(lambda: inbox.outcomes)
    assert inbox.outcomes["a"] == Unknown(reason="http-500")


async def test_a_link_that_is_stopped_gives_every_text_its_outcome() -> None:
    silent = asyncio.Event()
    inbox = Inbox()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.set()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    left = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fake = FakeTwilio(port=server.sockets[0].getsockname()[1])
    async with server:
        async with running(fake, inbox) as link:
            link.submit([text("a")])
            await silent.wait()
            link.submit([text("b")])  # and one that has not even begun
        await left.wait()
    assert inbox.outcomes == dict.fromkeys(("a", "b"), Unknown(reason="stopped"))


async def test_draining_waits_for_what_is_under_way(twilio: FakeTwilio) -> None:
    inbox = Inbox()
    async with running(twilio, inbox) as link:
        link.submit([text(f"{place}") for place in range(8)])
        assert link.room == 0
        await link.drain()
        await until(lambda: len(inbox.outcomes) == 8)
        assert link.room == 0


def test_a_rate_gives_room_as_time_passes() -> None:
    now = [0.0]
    rate = Bucket(2.0, 2.0, lambda: now[0])
    assert rate.room == 2
    rate.take(2)
    assert rate.room == 0
    assert rate.seconds_to_one == 0.5
    now[0] = 0.5
    assert rate.room == 1
    now[0] = 60.0
    assert rate.room == 2


def test_a_carrier_of_texts_alone_gets_the_links_in_words() -> None:
    media = (Media(url="https://a/media/1", content_type="image/png"),)
    outgoing = Outgoing(
        message_id="m", reference=1, source="+1", destination="+2", text="See", expires_at=0,
        media=media,
    )  # fmt: skip
    assert outgoing.in_words == "See\nhttps://a/media/1"
