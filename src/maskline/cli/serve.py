"""`maskline serve`, as far as the command line is concerned: its page in the manual."""

from maskline.cli.commands import Command, Values
from maskline.cli.faults import BadUsage
from maskline.cli.globals import Globals
from maskline.cli.options import Option


def run(values: Values, bare: list[str], globals_: Globals) -> int:
    """The service takes no options of the program; the word must come first."""
    raise BadUsage("serve must be the first word: maskline serve --config <value>")


COMMAND = Command(
    "serve",
    "runs the service",
    (
        "Runs the service in the foreground: the API, and as its children the programs that carry"
        " calls. At the first start the settings file is written, an account and an access key are"
        " made, and how to use them is printed. When all is up, a line beginning with maskline"
        " ready is printed. Control-C, SIGTERM, or a terminal that is closed, ends it and its"
        " children.",
    ),
    (
        Option(
            "config",
            "config",
            documentation="The settings file. Left out, maskline.toml in the current directory.",
        ),
        Option(
            "role",
            "role",
            documentation=(
                "What this process does: api answers the API, sip carries calls, sms carries texts,"
                " all does everything and is what is done when the option is left out. Several"
                " roles are joined by commas, or the option is repeated. More than one process"
                " needs PostgreSQL as the store."
            ),
        ),
    ),
    run,
)
