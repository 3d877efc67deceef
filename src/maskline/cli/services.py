"""`maskline chime …` and `maskline admin …`: calling the operations of a service model."""

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from maskline.cli import arguments, extras, output
from maskline.cli.faults import BadUsage, Fault, UnknownOptions
from maskline.cli.globals import Globals
from maskline.cli.names import kebab
from maskline.cli.options import Option, bad_choice, read_words, require

if TYPE_CHECKING:
    from maskline.model import Operation, Service

HELP = ("help", "--help", "-h")


class ServiceCommand(NamedTuple):
    """A command whose subcommands are a service's operations."""

    command: str
    model: str  # the name of the service model
    endpoint_name: str  # how AWS_ENDPOINT_URL_… and the files call the service


SERVICES = {
    service.command: service
    for service in (
        ServiceCommand("chime", "chime-sdk-voice", "chime"),
        ServiceCommand("chime-sdk-voice", "chime-sdk-voice", "chime_sdk_voice"),
        ServiceCommand("admin", "maskline", "maskline"),
    )
}


@cache
def model_of(name: str) -> "Service":
    """The service model of that name, read once."""
    from maskline.model import load

    return load(name)


def operations_of(service: ServiceCommand) -> dict[str, "Operation"]:
    """The operations by the name of their subcommand."""
    return {
        kebab(name): operation for name, operation in model_of(service.model).operations.items()
    }


def run(service: ServiceCommand, words: list[str], globals_: Globals) -> int:
    """Run `maskline <service> <words>`; the exit code."""
    operations = operations_of(service)
    name, rest = split_command(words, "operation", [*operations, "help"])
    if name == "help":
        from maskline.cli.manual import show

        return show(globals_, service.command, *rest)
    return run_operation(service, operations[name], rest, globals_)


def split_command(words: list[str], kind: str, names: list[str]) -> tuple[str, list[str]]:
    """The first bare word, which must be one of `names`, and all the other words.

    `kind` is what the word is called when it is missing or wrong. Raises BadUsage.
    """
    for index, word in enumerate(words):
        if word in ("--help", "-h"):
            return "help", words[:index] + words[index + 1 :]
        if not word.startswith("-"):
            if word not in names:
                raise bad_choice(kind, word, names)
            return word, words[:index] + words[index + 1 :]
    raise BadUsage(f"the following arguments are required: {kind}")


def run_operation(
    service: ServiceCommand, operation: "Operation", words: list[str], globals_: Globals
) -> int:
    """Run one operation with the words typed for it; the exit code."""
    options = (*arguments.options_of(operation), *extras.options_for(operation))
    typed = read_words(words, options)
    if any(word in HELP for word in typed.rest):
        from maskline.cli.manual import show

        return show(globals_, service.command, kebab(operation.name))
    extra = extras.EXTRAS.get(operation.name)
    chosen = typed.values.get(extra.option.key) if extra else None
    lifted = chosen is not None or arguments.lifts_requirements(typed.values)
    check_words(options, typed.values, typed.rest, lifted)
    parameters = arguments.parameters_from(options, typed.values)
    if skeleton := typed.values.get(arguments.SKELETON):
        return _show_skeleton(str(skeleton), operation, parameters, globals_)
    if extra and chosen is not None:
        return extra.run(service, operation, parameters, chosen, globals_)
    show_answer(globals_, service, operation, perform(globals_, service, operation, parameters))
    return 0


def check_words(
    options: tuple[Option, ...], values: dict[str, Any], rest: list[str], lifted: bool = False
) -> None:
    """Raise when options are missing (unless `lifted`) or words are left over."""
    if not lifted:
        require(options, values)
    if rest:
        # AWS CLI 2 names the first stray word last, and scripts compare texts.
        stray = [word for word in rest if not word.startswith("-")][:1]
        others = list(rest)
        for word in stray:
            others.remove(word)
        raise UnknownOptions(others + stray, _meant(options, others))


def _meant(options: tuple[Option, ...], unknown: list[str]) -> str:
    """A hint at the options that unknown ones may stand for."""
    from difflib import get_close_matches

    flags = [word.partition("=")[0] for word in unknown if word.startswith("--")]
    known = [option.flag for option in options]
    near = {flag: get_close_matches(flag, known, n=1, cutoff=0.7) for flag in flags}
    meant = [f"{found[0]} instead of {flag}" for flag, found in near.items() if found]
    return f"did you mean {', '.join(meant)}?" if meant else ""


def perform(
    globals_: Globals, service: ServiceCommand, operation: "Operation", parameters: dict[str, Any]
) -> dict[str, Any]:
    """Call the operation on the server that the settings name. Raises Fault."""
    from maskline.cli.call import call, timestamp_format
    from maskline.cli.connection import connect
    from maskline.cli.validation import check

    timestamp = timestamp_format(globals_.profile)
    check(operation.input, parameters)
    return call(connect(globals_, service.endpoint_name), operation, parameters, timestamp)


def _show_skeleton(
    kind: str, operation: "Operation", parameters: dict[str, Any], globals_: Globals
) -> int:
    from maskline.cli import skeleton
    from maskline.cli.validation import check

    if kind == "output":
        check(operation.input, parameters)
        show_picked(globals_, operation.name, skeleton.sample_answer(operation), "json")
    else:
        sys.stdout.write(skeleton.sample_input(operation, as_yaml=kind == "yaml-input"))
    return 0


def show_answer(
    globals_: Globals, service: ServiceCommand, operation: "Operation", answer: Any
) -> None:
    """Show the answer of an operation: a person who administers gets tables, scripts get JSON."""
    table = service.command == "admin" and sys.stdout.isatty()
    show_picked(globals_, operation.name, answer, "table" if table else "json")


def show_picked(globals_: Globals, title: str, answer: Any, default: str) -> None:
    """Show what `--query` picks from an answer, in the format asked for."""
    if globals_.query is not None:
        try:
            answer = globals_.query.search(answer)
        except (ValueError, TypeError, RecursionError) as error:
            raise Fault(str(error)) from None
    color = globals_.text("color") or "auto"
    output.show(globals_.output(default), title, answer, color, globals_.pager())
