"""Pictures that a carrier tells of are fetched, kept and passed on by links."""

import asyncio
import io
import ipaddress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from carrier_door import INBOUND, NOW, PUBLIC, House
from fake_twilio import FakeTwilio
from PIL import Image

from maskline.domain.message import Encoding
from maskline.operations import Context, purge_pictures
from maskline.sms.foresight import Foreseen, foreseen
from maskline.sms.http import door
from maskline.sms.http.provider import Reading
from maskline.sms.http.twilio import Twilio
from maskline.sms.media import MediaIntake
from maskline.sms.port import Accepted, InboundText, Media, TryLater
from maskline.store import StoreFailed


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
