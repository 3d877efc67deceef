"""Log lines: their two looks, and that no phone number gets into one."""

import asyncio
import io
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from maskline import logs
from maskline.domain.e164 import redact


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    yield io.StringIO()
    logs.reset()


def test_a_line_is_one_json_object(stream: io.StringIO) -> None:
    logs.configure("json", "info", stream)
    structlog.get_logger().info("call ended", call_id="abc", seconds=5)
    line = json.loads(stream.getvalue())
    assert line["event"] == "call ended"
    assert line["level"] == "info"
    assert (line["call_id"], line["seconds"]) == ("abc", 5)


def test_a_console_line_has_no_colours_off_a_terminal(stream: io.StringIO) -> None:
    logs.configure("console", "info", stream)
    structlog.get_logger().info("call ended", call_id="abc")
    assert "call ended" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_what_is_not_serious_enough_is_left_out(stream: io.StringIO) -> None:
    logs.configure("auto", "warning", stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("a library").info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "text",
    ["+12065550100", "sip:+12065550100@192.0.2.1", "sip:12065550100@h", "to +12065550100, failed"],
)
def test_numbers_are_redacted_wherever_they_stand(stream: io.StringIO, text: str) -> None:
    logs.configure("json", "info", stream)
    structlog.get_logger().error(text, number=text, deep={text: [text]})
    logging.getLogger("a library").error("failed for %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        structlog.get_logger().exception("broken")
    assert "5550100" not in stream.getvalue()
    assert "+1206•••0100" in json.loads(stream.getvalue().split("\n")[0])["event"]


DIGITS = st.from_regex(r"[1-9][0-9]{9,14}", fullmatch=True)
BEGINNINGS = ["+", "%2B", "%2b", "00", ""]
ROUND = st.text(alphabet=" \n\t<>@;,:=?!'\"/_", max_size=3)


@given(DIGITS, st.sampled_from(BEGINNINGS), ROUND, ROUND)
def test_no_way_to_write_a_number_gets_through(
    digits: str, beginning: str, before: str, after: str
) -> None:
    text = f"sip{before}:{beginning}{digits}{after}"
    assert digits not in logs.hidden(text)
    assert redact(digits) in logs.hidden(text)


@given(DIGITS, st.lists(st.sampled_from(["", "-", ".", " ", " (", ") ", "%20"]), min_size=15))
def test_no_separator_helps(digits: str, separators: list[str]) -> None:
    parted = "".join(d + s for d, s in zip(digits[:-1], separators, strict=False)) + digits[-1]
    hidden = logs.hidden(f"tel:+{parted};ext=1")
    assert hidden == f"tel:{redact('+' + digits)};ext=1"


@pytest.mark.parametrize("text", ["to 02079460123 it", "0012065550100.", "see 12065550100-"])
def test_numbers_as_they_are_dialled(text: str) -> None:
    assert not re.search("[0-9]{7}", logs.hidden(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:30000",
        "00000000-1234-1234-1234-123456789012",
        "1795320534.658375",
        "port 65535",
        "2026-11-28T21:48:01.289Z",
        "0 failed, +5 more",
        "node 0a1b2c3d",
        "10.0.0.1 10.0.0.2",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert logs.hidden(text) == text


def test_lines_of_a_loop_are_written_together_and_in_order(stream: io.StringIO) -> None:
    logs.configure("json", "info", stream)
    log = structlog.get_logger()

    async def work() -> None:
        log.info("one")
        logs.tell(logs.Line(event="two"))
        assert stream.getvalue() == ""
        await asyncio.to_thread(log.info, "three")
        assert events(stream) == ["one", "two", "three"]
        log.info("four")
        await asyncio.sleep(4 * logs.GATHER_SECONDS)
        assert events(stream)[3:] == ["four"]
        log.error("five")
        assert events(stream)[4:] == ["five"]

    asyncio.run(work())


def test_nothing_is_lost_at_the_end(stream: io.StringIO) -> None:
    logs.configure("json", "info", stream)

    async def work() -> None:
        logs.tell(logs.Line(event="last"))

    asyncio.run(work())
    logs.flush()
    assert events(stream) == ["last"]


@pytest.mark.parametrize(("form", "level"), [("console", "info"), ("json", "warning")])
def test_a_line_looks_like_all_others(stream: io.StringIO, form: str, level: str) -> None:
    logs.configure(form, level, stream)
    logs.tell(logs.Line(event="request"))
    assert ("request" in stream.getvalue()) is (level == "info")


def events(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


@pytest.fixture
def pipe() -> Iterator[tuple[io.TextIOWrapper, int]]:
    """Both ends of a pipe, which nobody reads."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        yield stream, read
        logs.reset()
        os.close(read)
        with suppress(OSError):
            stream.close()


def read_now(place: int) -> str:
    os.set_blocking(place, False)
    found = b""
    with suppress(BlockingIOError):
        while part := os.read(place, 65536):
            found += part
    return found.decode()


def test_nobody_waits_for_who_reads_no_more(
    pipe: tuple[io.TextIOWrapper, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal after Control-S, or a program that has stopped; later it goes on."""
    stream, place = pipe
    monkeypatch.setattr(logs, "MOST_WAITING", 500)
    logs.configure("json", "info", stream)
    log = structlog.get_logger()

    async def work() -> str:
        for number in range(400):
            log.info(str(number), text="ü" * 200)
            log.error("and at once", text="x" * 10_000 if number == 3 else "")
        read = read_now(place)
        for _ in range(100):
            await asyncio.sleep(logs.GATHER_SECONDS)
            read += read_now(place)
            if "missing" in read:
                return read
        raise AssertionError("it does not go on")

    told = [json.loads(line) for line in asyncio.run(work()).splitlines()]
    numbers = [int(line["event"]) for line in told if line["event"].isdigit()]
    assert numbers == list(range(len(numbers)))
    assert told[-1]["event"] == "lines are missing that nobody read"
    assert told[-1]["lines"] == 800 - (len(told) - 1)


def test_an_end_is_not_put_off_by_who_reads_no_more(
    pipe: tuple[io.TextIOWrapper, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, _ = pipe
    monkeypatch.setattr(logs, "PATIENCE", 1)
    logs.configure("json", "info", stream)
    for number in range(1000):
        structlog.get_logger().info("much", number=number, text="x" * 200)
    logs.flush()


def test_a_full_disk_stops_nobody() -> None:
    with open("/dev/full", "w") as full:
        logs.configure("json", "info", full)
        structlog.get_logger().error("told to nobody")
        logs.reset()
        with suppress(OSError):  # what it still has to write
            full.close()
