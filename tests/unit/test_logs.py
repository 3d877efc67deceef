"""Log lines: their two looks, and that no phone number gets into one."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from maskline import logs


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


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:30000", "00000000-1234-1234-1234-123456789012", "1795320534.658375", "port 65535"],
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
