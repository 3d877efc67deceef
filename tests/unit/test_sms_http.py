"""The link that sends by HTTP and the door that listens, with a real peer on the loopback."""

import asyncio
import base64
import io
import ipaddress
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from fake_twilio import SID, TOKEN, FakeTwilio, fake_twilio, segments_of
from hypothesis import given
from hypothesis import strategies as st
from inbox import Inbox
from PIL import Image
from twilio.request_validator import RequestValidator
from waiting import beside, until

from maskline.courier import Courier
from maskline.domain.bucket import Bucket
from maskline.domain.message import Encoding, Reported
from maskline.operations import Context, purge_pictures
from maskline.sms.foresight import Foreseen, foreseen
from maskline.sms.http import door
from maskline.sms.http.description import load
from maskline.sms.http.door import Desk, Door
from maskline.sms.http.generic import Generic
from maskline.sms.http.link import HttpLink
from maskline.sms.http.provider import Reading
from maskline.sms.http.twilio import Account, Twilio
from maskline.sms.media import MediaIntake, PictureRules
from maskline.sms.port import (
    Accepted,
    InboundText,
    Media,
    Outgoing,
    Receipt,
    Refused,
    TryLater,
    Unknown,
)
from maskline.store import Store, StoreFailed, Transaction, open_store

PUBLIC = "https://sms.example.com"
LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
NOW = 1_790_000_000_000


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with fake_twilio() as fake:
        yield fake


def provider(fake: FakeTwilio, token: str = TOKEN, mms: bool = True) -> Twilio:
    account = Account(base_url=fake.url, account_sid=SID, auth_tokens=(token,), mms=mms)
    return Twilio("tw", account, f"{PUBLIC}/carriers/tw")


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


# -- sending


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


# -- listening


class House:
    """A door with a store, and a client that calls it as a server would."""

    def __init__(self, folder: Path, fake: FakeTwilio, public_url: str | None = PUBLIC) -> None:
        self.store: Store = open_store(f"sqlite:{folder / 'maskline.db'}")
        self.inbox = Inbox()
        self.courier = Courier(LOOPBACK)
        self.now = NOW
        rules = PictureRules(
            public_url=public_url, most_bytes=100_000, keep_milliseconds=1000, notice="(cut)"
        )
        intake = MediaIntake(self.store, self.context, rules)
        self.door = Door(
            [Desk(provider(fake), self.courier)],
            self.inbox,
            intake,
            self.store,
            self.context,
            PUBLIC,
            most_queued=2,
        )

    def context(self, tx: Transaction) -> Context:
        return Context(tx=tx, account_id="", now=self.now, new_id=lambda: "id")

    async def call(
        self, method: str, path: str, body: bytes = b"", query: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        pairs = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
        return await self.raw(method, path, path.encode(), body, query.encode(), pairs)

    async def raw(
        self,
        method: str,
        path: str,
        raw_path: bytes,
        body: bytes,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
    ) -> tuple[int, dict[str, str], bytes]:
        told: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
        }
        await self.door(scope, receive, send)
        start, last = told
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], found, last["body"]

    async def deliver(
        self, kind: str, fields: dict[str, str], token: str = TOKEN, query: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        path = f"/carriers/tw/{kind}"
        url = PUBLIC + path + (f"?{query}" if query else "")
        return await self.call(
            "POST", path, urlencode(fields).encode(), query,
            content_type="application/x-www-form-urlencoded",
            x_twilio_signature=RequestValidator(token).compute_signature(url, fields),
        )  # fmt: skip


@pytest.fixture
async def house(
    tmp_path: Path, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(door, "foreseen", lambda *_: Foreseen(None, has_reader=True))
    found = House(tmp_path, twilio)
    async with found.door.running():
        yield found
    found.store.close()


INBOUND = {"MessageSid": "SM9", "From": "+12065550100", "To": "+19135550199", "Body": "Hi"}


async def test_a_text_is_thanked_for_when_it_is_kept(house: House) -> None:
    status, headers, body = await house.deliver("messages", INBOUND)
    assert (status, headers["content-type"]) == (200, "text/xml")
    assert b"<Response></Response>" in body
    (arrival,) = house.inbox.taken
    assert isinstance(arrival, InboundText)
    assert (arrival.message_id, arrival.text) == ("SM9", "Hi")


async def test_a_status_is_thanked_for_when_it_is_kept(house: House) -> None:
    fields = {"MessageSid": "SM9", "MessageStatus": "delivered"}
    status, _, body = await house.deliver("status", fields, query="reference=7")
    assert (status, body) == (204, b"")
    (arrival,) = house.inbox.taken
    assert isinstance(arrival, Receipt)
    assert arrival.reference == 7


@pytest.mark.parametrize(
    "verdict",
    [TryLater(after=9.6, reason="full"), StoreFailed("disk full"), RuntimeError("broken")],
)
async def test_what_is_not_kept_is_not_thanked_for(house: House, verdict: Any) -> None:
    house.inbox.verdict = verdict
    status, headers, body = await house.deliver("messages", INBOUND)
    assert (status, body) == (503, b"")
    assert headers["retry-after"] == ("10" if isinstance(verdict, TryLater) else "5")


async def test_a_refusal_is_in_the_records_and_the_provider_is_thanked(house: House) -> None:
    house.inbox.verdict = Refused(reason="no-session")
    assert (await house.deliver("messages", INBOUND))[0] == 200


async def test_who_cannot_sign_is_not_listened_to(house: House) -> None:
    assert (await house.deliver("messages", INBOUND, token="guess"))[0] == 403
    assert (await house.call("POST", "/carriers/tw/messages", b"Body=x"))[0] == 403
    assert (await house.call("GET", "/carriers/tw/messages"))[0] == 403
    assert house.inbox.taken == []


async def test_who_waits_to_be_asked_for_its_proof_is_asked(house: House) -> None:
    """Bandwidth sends nothing again that it was not asked for by a challenge."""
    values = {"account_id": "9", "application_id": "app", "user": "u", "password": "p"}
    secrets = ("cb:word",)
    bandwidth = Generic("bw", load("bandwidth"), values=values, secrets=secrets, callbacks=PUBLIC)
    house.door._desks["bw"] = Desk(bandwidth, house.courier)
    body = b"""[{"type": "message-received", "to": "+19135550199",
        "message": {"id": "m1", "from": "+12065550100", "to": ["+19135550199"], "text": "Hi"}}]"""
    status, headers, _ = await house.call("POST", "/carriers/bw/messages", body)
    assert (status, headers["www-authenticate"]) == (401, 'Basic realm="callbacks"')
    assert house.inbox.taken == []
    for word, answer in ((b"cb:guess", 403), (b"cb:word", 200)):
        proof = "Basic " + base64.b64encode(word).decode()
        told = await house.call("POST", "/carriers/bw/messages", body, authorization=proof)
        assert told[0] == answer
    assert [arrival.message_id for arrival in house.inbox.taken] == ["m1"]


def test_a_carriers_name_may_hold_a_percent_sign() -> None:
    assert door.place_of("/carriers/50%25 off é/status") == ("50%25 off é", "status")


async def test_other_places_are_nowhere(house: House) -> None:
    for path in ("/carriers/other/messages", "/carriers/tw/other", "/carriers/tw", "/carriers/"):
        assert (await house.call("POST", path))[0] == 404
    assert (await house.call("DELETE", "/carriers/tw/messages"))[0] == 405
    large = {"body": b"x" * 300_000, "x_twilio_signature": "x" * 28}
    assert (await house.call("POST", "/carriers/tw/messages", **large))[0] == 413  # type: ignore[arg-type]


@pytest.mark.parametrize("proof", [None, b"", b"x" * 27, b"x" * 60_000])
async def test_nothing_is_read_that_bears_no_proof(house: House, proof: bytes | None) -> None:
    """Whoever finds the address could keep us busy with it."""
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("its body was asked for")

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/carriers/tw/messages",
        "raw_path": b"/carriers/tw/messages",
        "query_string": b"a=b&" * 16_000,
        "headers": [(b"x-twilio-signature", proof)] if proof is not None else [],
    }
    await house.door(scope, receive, send)
    assert told[0]["status"] == 403


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A door before which one stands who has no key."""
    found = House(tmp_path_factory.mktemp("house"), FakeTwilio(port=1))
    yield found
    found.store.close()


@given(
    path=st.sampled_from(["/carriers/tw/messages", "/carriers/tw/status", "/media/x", "/carriers/"])
    | st.text(max_size=20).map(lambda text: "/carriers/" + text),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
    query=st.binary(max_size=30),
    body=st.binary(max_size=60),
    headers=st.lists(
        st.tuples(
            st.sampled_from([
                b"content-type", b"x-twilio-signature", b"x-twilio-webhooks-signature-settings"
            ]),
            st.binary(max_size=30) | st.just(b"application/x-www-form-urlencoded"),
        ),
        max_size=3,
    ),
)  # fmt: skip
def test_any_request_is_turned_away(
    stranger: House,
    path: str,
    method: str,
    query: bytes,
    body: bytes,
    headers: list[tuple[bytes, bytes]],
) -> None:
    raw = path.encode(errors="replace")
    asked = stranger.raw(method, path, raw, body, query, headers)
    assert asyncio.run(asked)[0] in (400, 403, 404, 405)


async def test_what_can_be_read_is_kept_and_the_rest_is_not_thanked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = Receipt(carrier="tw", message_id="SM1", state=Reported.DELIVERED, at=NOW)
    half_read = Reading([receipt], fault="a text without an id")
    monkeypatch.setattr(Twilio, "read", lambda *_: half_read)
    assert (await house.deliver("messages", INBOUND))[0] == 400
    assert house.inbox.taken == [receipt]


# -- pictures


def picture(mark: bytes) -> bytes:
    into = io.BytesIO()
    Image.new("RGB", (8, 8), (9, 9, 9)).save(into, "JPEG", comment=mark)
    return into.getvalue()


def with_media(*urls: str) -> dict[str, str]:
    fields = INBOUND | {"NumMedia": str(len(urls))}
    for place, url in enumerate(urls):
        fields |= {f"MediaUrl{place}": url, f"MediaContentType{place}": "image/jpeg"}
    return fields


def only(house: House) -> InboundText:
    (arrival,) = house.inbox.taken
    assert isinstance(arrival, InboundText)
    return arrival


async def test_a_picture_is_passed_on_by_a_link_of_ours(house: House, twilio: FakeTwilio) -> None:
    twilio.media["/kept"] = ("image/jpeg", picture(b"SECA_comment"))
    twilio.moved["/Media/ME1"] = f"http://localhost:{twilio.port}/kept"
    house.courier._allowed += (ipaddress.ip_network("::1/128"),)
    await house.deliver("messages", with_media(f"{twilio.url}/Media/ME1"))
    (media,) = only(house).media
    assert media.content_type == "image/jpeg"
    assert media.url.startswith(f"{PUBLIC}/media/")
    asked = [request for request in twilio.asked if request.startswith(b"GET")]
    assert b"Authorization" in asked[0]
    assert b"Authorization" not in asked[1]

    token = media.url.removeprefix(f"{PUBLIC}/media/")
    status, headers, content = await house.call("GET", f"/media/{token}")
    assert status == 200
    assert b"SECA" not in content
    assert Image.open(io.BytesIO(content)).size == (8, 8)
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    status, headers, content = await house.call("HEAD", f"/media/{token}")
    assert (status, content) == (200, b"")
    assert int(headers["content-length"]) > 0
    assert (await house.call("POST", f"/media/{token}"))[0] == 405


async def test_pictures_keep_their_order_and_those_that_cannot_be_passed_on_are_told_once(
    house: House, twilio: FakeTwilio
) -> None:
    sizes = {"/a": 8, "/b": 9, "/c": 10}
    for path, size in sizes.items():
        into = io.BytesIO()
        Image.new("RGB", (size, size)).save(into, "PNG")
        twilio.media[path] = ("image/png", into.getvalue())
    paths = ["/a", "/missing", "/b", "/gone", "/c"]
    await house.deliver("messages", with_media(*(twilio.url + path for path in paths)))
    assert only(house).told == "Hi\n(cut)"
    widths = []
    for media in only(house).media:
        _, _, content = await house.call("GET", media.url.removeprefix(PUBLIC))
        widths.append(Image.open(io.BytesIO(content)).size[0])
    assert widths == [8, 9, 10]


async def test_pictures_beyond_the_tenth_are_told(house: House, twilio: FakeTwilio) -> None:
    twilio.media["/a"] = ("image/jpeg", picture(b""))
    await house.deliver("messages", with_media(*[f"{twilio.url}/a"] * 12))
    assert only(house).told == "Hi\n(cut)"
    assert len(only(house).media) == 10


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Accepted(message_ids=()), 200), (TryLater(reason="queue-full"), 503)],
)
async def test_no_picture_is_fetched_for_a_text_whose_verdict_is_known(
    house: House, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch, verdict: Any, status: int
) -> None:
    monkeypatch.setattr(door, "foreseen", lambda *_: Foreseen(verdict))
    assert (await house.deliver("messages", with_media(f"{twilio.url}/a")))[0] == status
    assert (twilio.asked, house.inbox.taken) == ([], [])


async def test_no_picture_is_fetched_again_for_a_text_that_comes_again_meanwhile(
    house: House, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telnyx waits for two seconds, and tries three times."""

    def known(_: Context, text: InboundText, most: int) -> Foreseen:
        taken = [each.message_id for each in house.inbox.taken if isinstance(each, InboundText)]
        return Foreseen(Accepted(message_ids=()) if text.message_id in taken else None, True)

    monkeypatch.setattr(door, "foreseen", known)
    twilio.media["/a"] = ("image/jpeg", picture(b""))
    tries = (house.deliver("messages", with_media(f"{twilio.url}/a")) for _ in range(3))
    assert {status for status, _, _ in await asyncio.gather(*tries)} == {200}
    assert len(only(house).media) == len(twilio.asked) == 1
    assert not house.door._coming


async def test_no_picture_is_fetched_for_a_text_that_nobody_will_get(
    house: House, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever knows a number could fill the disk."""
    monkeypatch.setattr(door, "foreseen", foreseen)  # there is no session
    assert (await house.deliver("messages", with_media(f"{twilio.url}/a")))[0] == 200
    assert twilio.asked == []
    assert only(house).media == ()
    assert only(house).told == "Hi\n(cut)"  # should a session be opened in this moment


async def test_no_pictures_are_kept_of_texts_that_will_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[str | None] = []

    async def pass_on(_: MediaIntake, text: InboundText, *__: Any) -> InboundText:
        if text.message_id == "fails":
            raise StoreFailed("disk full")
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            given_up.append(text.message_id)

    monkeypatch.setattr(MediaIntake, "pass_on", pass_on)
    text = InboundText(
        carrier="tw",
        source=INBOUND["From"],
        destination=INBOUND["To"],
        text="See",
        encoding=Encoding.UTF8,
        received_at=NOW,
        media=(Media(url="https://api.example/1", content_type="image/png"),),
    )
    both = [msgspec.structs.replace(text, message_id=each) for each in ("goes on", "fails")]
    monkeypatch.setattr(Twilio, "read", lambda *_: Reading(both))
    assert (await house.deliver("messages", INBOUND))[0] == 503
    assert (given_up, house.inbox.taken) == (["goes on"], [])


async def test_the_database_alone_shows_no_picture(
    house: House, twilio: FakeTwilio, tmp_path: Path
) -> None:
    twilio.media["/a"] = ("image/jpeg", picture(b""))
    await house.deliver("messages", with_media(f"{twilio.url}/a"))
    token = only(house).media[0].url.rpartition("/")[2].encode()
    files = b"".join(file.read_bytes() for file in tmp_path.glob("maskline.db*"))
    assert token not in files
    assert b"JFIF" not in files


async def test_a_link_ends_and_the_picture_is_erased(house: House, twilio: FakeTwilio) -> None:
    twilio.media["/a"] = ("image/jpeg", picture(b""))
    await house.deliver("messages", with_media(f"{twilio.url}/a"))
    token = only(house).media[0].url.rpartition("/")[2]
    house.now += 1000
    assert (await house.call("GET", f"/media/{token}"))[0] == 404
    assert await house.store.write(lambda tx: purge_pictures(house.context(tx))) == 1
    assert await house.store.write(lambda tx: purge_pictures(house.context(tx))) == 0


@pytest.mark.parametrize("token", ["", "x", "é", "a" * 65, "../../etc/passwd", "%00"])
async def test_no_other_link_leads_anywhere(house: House, token: str) -> None:
    assert (await house.call("GET", f"/media/{token}"))[0] == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "http://[::1]/",
        "{own}/missing", "{own}/vcard", "{own}/long", "{own}/away", "http://[", "http://\u2100/",
    ],
)  # fmt: skip
async def test_what_cannot_be_passed_on_is_told_and_the_words_go_on(
    house: House, twilio: FakeTwilio, url: str
) -> None:
    twilio.media["/vcard"] = ("image/jpeg", b"BEGIN:VCARD\r\nFN:Ann\r\nEND:VCARD")
    twilio.media["/long"] = ("image/jpeg", picture(b"") + bytes(100_000))
    twilio.moved["/away"] = "http://127.0.0.2/"
    status, _, _ = await house.deliver("messages", with_media(url.format(own=twilio.url)))
    assert status == 200
    assert only(house).media == ()
    assert only(house).told == "Hi\n(cut)"


async def test_two_pictures_are_drawn_at_a_time_and_none_that_nobody_waits_for_any_more(
    house: House, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = [0]

    async def slow(content: bytes, _: int) -> tuple[str, bytes]:
        under_way.append(under_way[-1] + 1)
        try:
            await asyncio.sleep(30)
        finally:
            under_way.append(under_way[-1] - 1)
        return "image/png", content

    monkeypatch.setattr("maskline.sms.media.drawn", slow)
    monkeypatch.setattr("maskline.sms.media.ALL_SECONDS", 1.0)
    twilio.media["/a"] = ("image/jpeg", picture(b""))
    fields = [
        with_media(f"{twilio.url}/a") | {"MessageSid": f"SM{n}", "From": f"+1206555010{n}"}
        for n in range(3)
    ]
    await asyncio.gather(*(house.deliver("messages", each) for each in fields))
    assert [each.told for each in house.inbox.taken] == ["Hi\n(cut)"] * 3
    assert max(under_way) == 2
    assert under_way[-1] == 0


async def test_nobodys_pictures_keep_those_of_others_waiting(
    house: House, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(content: bytes, _: int) -> tuple[str, bytes]:
        if content == b"slow":
            await asyncio.sleep(30)
        return "image/png", content

    monkeypatch.setattr("maskline.sms.media.drawn", slow)
    monkeypatch.setattr("maskline.sms.media.ALL_SECONDS", 3.0)
    twilio.media |= {"/slow": ("image/png", b"slow"), "/quick": ("image/png", b"quick")}
    many = with_media(*[f"{twilio.url}/slow"] * 10)
    quick = with_media(f"{twilio.url}/quick") | {"MessageSid": "SM10", "From": "+14015550101"}
    await asyncio.gather(house.deliver("messages", many), house.deliver("messages", quick))
    passed = {each.message_id: len(each.media) for each in house.inbox.taken if each.message_id}
    assert passed == {"SM9": 0, "SM10": 1}


async def test_the_sheet_that_arranges_pictures_is_left_out_in_silence(house: House) -> None:
    fields = INBOUND | {
        "NumMedia": "1", "MediaUrl0": "http://x.invalid/", "MediaContentType0": "application/smil"
    }  # fmt: skip
    await house.deliver("messages", fields)
    assert only(house).text == "Hi"


@pytest.mark.parametrize(
    "sheet",
    [
        ("application/smil; charset=utf-8", b"whatever"),
        ("text/xml", b"<smil><head/></smil>"),
        (
            "application/octet-stream",
            b'\xef\xbb\xbf<?xml version="1.0"?>\n<!DOCTYPE smil>\n<SMIL />',
        ),
    ],
)
async def test_the_sheet_is_left_out_also_where_only_its_file_tells_what_it_is(
    house: House, twilio: FakeTwilio, sheet: tuple[str, bytes]
) -> None:
    twilio.media["/sheet"] = sheet
    twilio.media["/a"] = ("image/jpeg", picture(b""))
    urls = (f"{twilio.url}/sheet", f"{twilio.url}/a")
    fields = {f"MediaUrl{place}": url for place, url in enumerate(urls)}
    await house.deliver("messages", INBOUND | {"NumMedia": "2"} | fields)
    assert only(house).told == "Hi"
    assert len(only(house).media) == 1


async def test_without_a_public_url_no_picture_is_fetched(
    tmp_path: Path, twilio: FakeTwilio
) -> None:
    house = House(tmp_path, twilio, public_url=None)
    await house.deliver("messages", with_media(f"{twilio.url}/a"))
    assert only(house).told == "Hi\n(cut)"
    assert twilio.asked == []
    house.store.close()


def test_a_carrier_of_texts_alone_gets_the_links_in_words() -> None:
    media = (Media(url="https://a/media/1", content_type="image/png"),)
    outgoing = Outgoing(
        message_id="m", reference=1, source="+1", destination="+2", text="See", expires_at=0,
        media=media,
    )  # fmt: skip
    assert outgoing.in_words == "See\nhttps://a/media/1"
