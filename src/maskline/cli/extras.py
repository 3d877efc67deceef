"""What some operations can do beyond the original: an option more, and who carries it out."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from maskline.cli.globals import Globals
from maskline.cli.options import Option

if TYPE_CHECKING:
    from maskline.cli.services import ServiceCommand
    from maskline.model import Operation

Run = Callable[["ServiceCommand", "Operation", dict[str, Any], Any, Globals], int]


class Extra(NamedTuple):
    """A further option of one operation. `module` has a `run`, which gets the option's value."""

    option: Option
    module: str

    def run(
        self,
        service: "ServiceCommand",
        operation: "Operation",
        parameters: dict[str, Any],
        value: Any,
        globals_: Globals,
    ) -> int:
        """Carry the operation out the way of this option; the exit code."""
        carry_out: Run = import_module(self.module).run
        return carry_out(service, operation, parameters, value, globals_)


EXPORT = Extra(
    Option(
        "export",
        "export",
        documentation=(
            "Writes the whole list, all its pages, into a file instead of showing it: a table in"
            " CSV or in Parquet, as the name of the file ends with .csv or .parquet. The columns"
            " are the members shown under OUTPUT. Parquet needs the Python package pyarrow"
            " (tools/install parquet)."
        ),
    ),
    "maskline.cli.list_export",
)

EXTRAS: dict[str, Extra] = {
    "ListAuditRecords": EXPORT,
    "ListCalls": EXPORT,
    "ListMessages": EXPORT,
    "ListOptOuts": EXPORT,
    "ListProxySessions": Extra(
        Option(
            "watch",
            "watch",
            takes="none",
            fixed=True,
            documentation=(
                "Shows the sessions, those of one answer, as a table that is drawn anew every two"
                " seconds, until Control-C. --max-results says how many, 100 at most."
            ),
            type_name="boolean",
        ),
        "maskline.cli.watch",
    ),
    "ImportPhoneNumbers": Extra(
        Option(
            "from-csv",
            "from-csv",
            documentation=(
                "Reads the phone numbers from the first column of a CSV file, a number in each"
                " line, and sends them in portions. What is done is shown on the way; a file"
                " imported again does no harm."
            ),
        ),
        "maskline.cli.bulk",
    ),
}


def options_for(operation: "Operation") -> tuple[Option, ...]:
    """The further options of an operation."""
    extra = EXTRAS.get(operation.name)
    return (extra.option,) if extra else ()
