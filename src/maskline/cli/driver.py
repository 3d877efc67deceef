"""The command line from words to exit code."""

import os
import sys
from typing import Any

from maskline.cli import commands, services
from maskline.cli import globals as program
from maskline.cli.faults import USAGE, Fault, UnknownOptions
from maskline.cli.options import read_words
from maskline.cli.profile import Profile

INTERRUPTED = 130
LEGACY = "legacy"
ENCODING_HINT = (
    "what was typed, or is to be shown, is not in the encoding of this terminal; see LANG"
)


def main(words: list[str]) -> int:
    """Run one command and say what its exit code is. Never raises, but for bugs under `--debug`."""
    values: dict[str, Any] = {}
    try:
        if words[:2] == ["complete", "--"]:  # a shell asks, not a person
            from maskline.cli.completion import complete

            status = complete(words[2:])
        else:
            typed = read_words(words, program.OPTIONS)
            values = typed.values
            status = _run(values, typed.rest)
        sys.stdout.flush()
        return status
    except Fault as fault:
        return _tell(fault, _error_format(values))
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone; that is its right
        _flush_output()
        return 0
    except Exception as error:
        if values.get("debug"):
            raise
        return _tell(_unforeseen(error), LEGACY)


def _unforeseen(error: Exception) -> Fault:
    if isinstance(error, OSError):  # a full disk, say
        return Fault(str(error))
    if isinstance(error, UnicodeEncodeError):
        return Fault(str(error), ENCODING_HINT)
    text = f"{type(error).__name__}: {error}"
    return Fault(text, "this is a fault of the program; --debug shows more")


def _flush_output() -> None:
    """Write what is left of the output; drop what nobody takes, or Python tries it once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _error_format(values: dict[str, Any]) -> str:
    """How the user wants to see faults."""
    if "error_format" in values:
        return str(values["error_format"])
    try:
        profile = Profile(values.get("profile"))
    except Fault:  # the fault to be shown may be this very one
        return LEGACY
    return profile.setting("cli_error_format", "AWS_CLI_ERROR_FORMAT") or "enhanced"


def _run(values: dict[str, Any], words: list[str]) -> int:
    if values.get("version"):
        print(_version())
        return 0
    globals_ = program.resolve(values)
    name, rest = services.split_command(
        words, "command", [*services.SERVICES, *commands.MODULES, "help"]
    )
    if name == "help":
        from maskline.cli.manual import show

        return show(globals_, *rest)
    if name in services.SERVICES:
        return services.run(services.SERVICES[name], rest, globals_)
    return commands.run(name, rest, globals_)


def _version() -> str:
    import platform

    from maskline import __version__

    return (
        f"maskline/{__version__} Python/{platform.python_version()}"
        f" {platform.system()}/{platform.release()}"
    )


def _tell(fault: Fault, error_format: str) -> int:
    """Show a fault on standard error; the exit code."""
    _flush_output()
    out = sys.stderr
    details = fault.details()
    if isinstance(fault, UnknownOptions):
        out.write(f"\n{USAGE}\n")
    if details and error_format in ("json", "yaml", "text", "table"):
        from maskline.cli import output

        output.write(error_format, "error", details, out, "off")
    else:
        text = str(fault) if error_format == LEGACY else fault.headline()
        out.write(f"\nmaskline: [ERROR]: {text.strip()}\n")
    if fault.hint:
        out.write(f"hint: {fault.hint}\n")
    return fault.status
