"""What the service tells about itself: one line for each unit of work, no phone number in it."""

import asyncio
import logging
import os
import re
import select
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from select import PIPE_BUF
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from maskline.domain.e164 import redact

# A phone number as it could slip into a line: with its plus, as it is or as in a URI, and then also
# with what people put between the digits (RFC 3966); or as many digits bare, 0 or 00 before them.
PHONE_NUMBER = re.compile(
    r"(?:\+|%2[Bb])[1-9](?:(?:[-.() ]|%20){0,2}[0-9]){6,14}(?![0-9])"
    r"|(?<![A-Za-z0-9.-])(?:00?[1-9][0-9]{7,14}|[1-9][0-9]{9,14})(?![A-Za-z0-9]|[.-][A-Za-z0-9])"
)
PERHAPS = re.compile(r"[1-9][0-9]{6}|\+|%2[Bb]")  # found faster, and in every phone number
NO_DIGIT = re.compile(r"%2[0Bb]|[^0-9]")
SEQUENCES = list, tuple

# How long a line of the event loop may wait for others to be written with it: what is lost when
# the process is killed.
GATHER_SECONDS = 0.02

MOST_WAITING = 10_000  # lines that wait for whoever reads them to go on; later ones are lost
PATIENCE = 1_000  # milliseconds that the last lines are waited for
LONGEST_CHARACTER = 4  # bytes in UTF-8


class Line(msgspec.Struct, kw_only=True):
    """A line of which there are very many. Nothing looks for phone numbers in it, so its texts are
    all of our own choosing."""

    event: str
    level: str = "info"
    timestamp: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))


class Output:
    """Where lines go. Those of the event loop are gathered for a moment and written together,
    since each writing costs as much as all else about a line; those of other threads, of a program
    without a loop and of errors are written at once. Their order stays.

    Whoever reads them may stop, as a terminal does at Control-S: what the stream does not take
    waits, and nobody waits for it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._ready = ready(stream)
        self._lines: deque[str] = deque()
        self._lost = 0
        self._due = False
        self._writing = threading.Lock()

    def write(self, text: str) -> None:
        """Takes whole lines, with their ends."""
        if len(self._lines) < MOST_WAITING:
            self._lines.append(text)
        else:
            self._lost += 1
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._flush_later(loop)

    def _flush_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._due:
            self._due = True
            loop.call_later(GATHER_SECONDS, self._flush_due, loop)

    def _flush_due(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = False
        self.flush()
        if self._lines:
            self._flush_later(loop)

    def flush(self, patience: int = 0) -> None:
        """Writes what the stream takes, for which is waited so many milliseconds."""
        with self._writing:
            while self._lines and self._ready(patience):
                text = self._next()
                with suppress(OSError):  # a full disk: what is to be logged goes on without
                    self._stream.write(text)
                    self._stream.flush()
        if self._lost and not self._lines:
            lost, self._lost = self._lost, 0
            structlog.get_logger().warning("lines are missing that nobody read", lines=lost)

    def _next(self) -> str:
        """As much as a stream that is ready takes without making us wait."""
        text = ""
        while self._lines and len(text) < PIPE_BUF:
            text += self._lines.popleft()
        length = PIPE_BUF if text.isascii() else PIPE_BUF // LONGEST_CHARACTER
        if len(text) > length:
            self._lines.appendleft(text[length:])
        return text[:length]

    def msg(self, line: str) -> None:
        self.write(f"{line}\n")

    def urgent(self, line: str) -> None:
        self.msg(line)
        self.flush()

    # What structlog calls a line of each level by.
    debug = info = warning = msg
    error = exception = critical = urgent


def ready(stream: TextIO) -> Callable[[int], object]:
    """Tells, within so many milliseconds, whether a stream takes PIPE_BUF bytes."""
    try:
        place = stream.fileno()
    except (OSError, ValueError):  # one in memory
        return lambda _patience: True
    asked = select.poll()
    asked.register(place, select.POLLOUT)
    return asked.poll


class State:
    """Where lines go, once that is known; `straight` when a Line needs no more than its JSON."""

    output: Output | None = None
    straight = False


def tell(line: Line) -> None:
    """Writes a line of which there are very many."""
    if State.straight and State.output:
        State.output.msg(msgspec.json.encode(line).decode())
    else:
        structlog.get_logger().info(**msgspec.structs.asdict(line))


def whereabouts(error: BaseException) -> dict[str, Any]:
    """What an error is and where it came up. Not its text, which may hold anything."""
    causes = error, error.__cause__ or error.__context__
    return {
        "errors": [type(each).__name__ for each in causes if each],
        "at": [
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ],
    }


def flush() -> None:
    """Writes what was gathered; to be called at the end."""
    if State.output:
        State.output.flush(PATIENCE)


def reset() -> None:
    """As if nothing had been configured."""
    State.output, State.straight = None, False
    structlog.reset_defaults()
    logging.basicConfig(handlers=[], force=True)


def configure(form: str, level: str, stream: TextIO = sys.stderr) -> None:
    """Sends every line, also those of libraries, to `stream`; `form` and `level` as in `[log]`."""
    if form == "auto":
        form = "console" if stream.isatty() else "json"
    State.output = output = Output(stream)
    State.straight = form == "json" and level in ("debug", "info")
    processors: list[Processor] = [
        structlog.stdlib.add_log_level,
        add_time,
        structlog.processors.format_exc_info,
        hide_phone_numbers,
    ]
    render = renderer(form, stream)
    structlog.configure(
        processors=[*processors, render],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: output,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


def renderer(form: str, stream: TextIO) -> Processor:
    if form == "console":
        return structlog.dev.ConsoleRenderer(
            colors=stream.isatty() and not os.environ.get("NO_COLOR")
        )
    return as_json


def as_json(_logger: object, _method: str, line: EventDict) -> str:
    return msgspec.json.encode(line, enc_hook=repr).decode()


def add_time(_logger: object, _method: str, line: EventDict) -> EventDict:
    line["timestamp"] = f"{datetime.now(UTC).isoformat()[:-6]}Z"
    return line


def hide_phone_numbers(_logger: object, _method: str, line: EventDict) -> EventDict:
    """The last line of defence: callers already leave numbers out or redact them."""
    return {key: hidden(value) for key, value in line.items()}


def hidden(value: Any) -> Any:
    """The value with every phone number in its texts redacted, however deep."""
    if isinstance(value, str):
        if PERHAPS.search(value) is None:
            return value
        return PHONE_NUMBER.sub(redacted, value)
    if isinstance(value, dict):
        return {hidden(key): hidden(item) for key, item in value.items()}
    if isinstance(value, SEQUENCES):
        return [hidden(item) for item in value]
    return value


def redacted(found: re.Match[str]) -> str:
    return redact(NO_DIGIT.sub("", found[0]).lstrip("0"))
