"""What the service tells about itself: one line for each unit of work, no phone number in it."""

import logging
import re
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from maskline.domain.e164 import redact

# A phone number as it could slip into a line: E.164 with its plus, or as many digits bare.
PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}(?![0-9])|(?<![\w.-])[1-9][0-9]{9,14}(?![\w.-])")


def configure(form: str, level: str, stream: TextIO = sys.stderr) -> None:
    """Sends every line, also those of libraries, to `stream`; `form` and `level` as in `[log]`."""
    if form == "auto":
        form = "console" if stream.isatty() else "json"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_phone_numbers,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer(form, stream),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


def renderer(form: str, stream: TextIO) -> Processor:
    if form == "console":
        return structlog.dev.ConsoleRenderer(colors=stream.isatty())
    return structlog.processors.JSONRenderer()


def hide_phone_numbers(_logger: object, _method: str, line: EventDict) -> EventDict:
    """The last line of defence: callers already leave numbers out or redact them."""
    return {key: hidden(value) for key, value in line.items()}


def hidden(value: Any) -> Any:
    """The value with every phone number in its texts redacted, however deep."""
    if isinstance(value, str):
        return PHONE_NUMBER.sub(lambda found: redact(found[0]), value)
    if isinstance(value, dict):
        return {hidden(key): hidden(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item) for item in value]
    return value
