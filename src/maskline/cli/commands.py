"""The commands that are not operations of a service: what each is, for running and for help."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from maskline.cli import services
from maskline.cli.globals import Globals
from maskline.cli.options import Option, read_words

Values = dict[str, object]


class Command(NamedTuple):
    """A command of its own. `takes` is how the words without an option are shown in its synopsis.

    `run` gets the options' values by key and the bare words; it gives the exit code.
    """

    name: str
    summary: str
    description: tuple[str, ...]
    options: tuple[Option, ...]
    run: Callable[[Values, list[str], Globals], int]
    takes: str = ""


# The modules that hold a `COMMAND`. They are imported only when they are wanted.
MODULES = {
    "serve": "maskline.cli.serve",
    "migrate": "maskline.cli.migrate",
    "export": "maskline.cli.export",
    "import": "maskline.cli.import_",
    "route": "maskline.cli.route",
    "doctor": "maskline.cli.doctor",
    "completion": "maskline.cli.completion",
    "install-aws-model": "maskline.cli.install",
    "install-man-pages": "maskline.cli.installed_manual",
}


def load(name: str) -> Command:
    """The command of that name."""
    command = import_module(MODULES[name]).COMMAND
    assert isinstance(command, Command)
    return command


def run(name: str, words: list[str], globals_: Globals) -> int:
    """Run a command with the words typed for it; the exit code."""
    command = load(name)
    typed = read_words(words, command.options)
    if any(word in services.HELP for word in typed.rest):
        from maskline.cli.manual import show

        return show(globals_, name)
    bare = [word for word in typed.rest if not word.startswith("-")] if command.takes else []
    services.check_words(command.options, typed.values, [w for w in typed.rest if w not in bare])
    return command.run(typed.values, bare, globals_)
