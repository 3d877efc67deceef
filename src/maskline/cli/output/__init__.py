"""Showing an answer: one module for each of the larger formats of `--output`."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from maskline.cli.faults import Fault

FORMATS = ("json", "text", "table", "yaml", "yaml-stream", "off")


def write(form: str, title: str, answer: Any, stream: TextIO, color: str = "auto") -> None:
    """Write an answer to `stream`. `title` heads a table. An empty answer shows nothing."""
    if form not in FORMATS:
        raise Fault(f"Unknown output type: {form}")
    if form == "off" or answer == {}:
        return
    if form == "table":
        from maskline.cli.output.table import write_table

        write_table(title, answer, stream, colored(color, stream.isatty()))
    elif form == "text":
        from maskline.cli.output.text import write_text

        write_text(answer, stream)
    else:
        _WRITERS[form](answer, stream)


def colored(color: str, terminal: bool) -> bool:
    """Whether a table is coloured; NO_COLOR (no-color.org) counts where no option says more."""
    return color == "on" or (color == "auto" and terminal and not os.environ.get("NO_COLOR"))


def _json(answer: Any, stream: TextIO) -> None:
    stream.write(f"{json.dumps(answer, indent=4, ensure_ascii=False)}\n")


def _yaml(answer: Any, stream: TextIO) -> None:
    if not isinstance(answer, dict | list):
        stream.write(f"{json.dumps(answer, ensure_ascii=False)}\n")
        return
    from ruamel.yaml import YAML

    writer = YAML(typ="safe")
    writer.representer.default_flow_style = False
    writer.dump(answer, stream)


_WRITERS: dict[str, Callable[[Any, TextIO], None]] = {
    "json": _json,
    "yaml": _yaml,
    "yaml-stream": lambda answer, stream: _yaml([answer], stream),
}


def show(form: str, title: str, answer: Any, color: str = "auto", pager: str = "") -> None:
    """Write an answer to standard output, through the pager where there is one."""
    if not pager:
        write(form, title, answer, sys.stdout, color)
        sys.stdout.flush()
        return
    import io

    buffer = io.StringIO()
    write(form, title, answer, buffer, "on" if colored(color, terminal=True) else "off")
    page(buffer.getvalue(), pager)


def page(text: str, pager: str) -> None:
    """Show a text with the user's pager. Leaving the pager early is no fault."""
    import shlex
    import subprocess

    if not text:
        return
    environment = {"LESS": "FRX", **os.environ}
    try:
        subprocess.run(shlex.split(pager), input=text, text=True, check=False, env=environment)
    except BrokenPipeError:
        pass
    except OSError as error:
        raise PagerFailed(
            "Unable to redirect output to pager. Received the following error when opening"
            f" pager:\n{error}",
            "`--no-cli-pager`, or an empty AWS_PAGER, shows output without a pager",
        ) from None


class PagerFailed(Fault):
    """The program that shows long output does not start."""

    status = 253
    code = "Pager"
