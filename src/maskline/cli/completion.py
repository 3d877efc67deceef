"""Completion in the shell: `maskline completion bash` prints the script, `complete` answers it."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from maskline.cli import commands, extras, services
from maskline.cli import globals as program
from maskline.cli.arguments import options_of
from maskline.cli.commands import Command, Values
from maskline.cli.faults import BadUsage, Fault
from maskline.cli.options import Option, bad_choice, find_option, read_words

if TYPE_CHECKING:
    from maskline.model import Operation

PATIENCE = 2  # seconds to wait for a server that is asked for ids

SCRIPTS = {
    "bash": """\
_maskline() {
    local IFS=$'\\n'
    COMPREPLY=($(maskline complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _maskline maskline
""",
    "zsh": """\
#compdef maskline
_maskline() {
    local -a found
    found=("${(@f)$(maskline complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    [[ -n "$found" ]] && compadd -a found || _files
}
compdef _maskline maskline
""",
    "fish": """\
function __maskline_complete
    set --local words (commandline --current-process --tokenize --cut-at-cursor)
    maskline complete -- $words[2..] (commandline --current-token --cut-at-cursor) 2>/dev/null
end
complete --command maskline --arguments '(__maskline_complete)'
""",
}


def run(values: Values, bare: list[str], globals_: program.Globals) -> int:
    """Print the completion script of a shell; the exit code."""
    if len(bare) != 1:
        raise BadUsage("the following arguments are required: shell")
    if bare[0] not in SCRIPTS:
        raise bad_choice("shell", bare[0], list(SCRIPTS))
    sys.stdout.write(SCRIPTS[bare[0]])
    return 0


COMMAND = Command(
    "completion",
    "prints what makes a shell complete commands, options and ids",
    (
        "Prints a script for the shell named: bash, zsh or fish. Put it where the shell reads it"
        ' at its start, for example eval "$(maskline completion bash)" in ~/.bashrc.',
        "Commands, options and allowed values are completed, and also the ids of voice connectors"
        " and proxy sessions, which are asked of the server.",
    ),
    (),
    run,
    takes="<bash | zsh | fish>",
)


def complete(words: list[str]) -> int:
    """Print what may stand for the last of the words, a line for each; the exit code."""
    before, partial = words[:-1], words[-1] if words else ""
    for candidate in candidates(before, partial):
        if candidate.startswith(partial):
            print(candidate)
    return 0


def candidates(before: list[str], partial: str) -> Iterable[str]:
    """What may follow the words before. Raises nothing: who types has other things to do."""
    try:
        return _candidates(before, partial)
    except Fault:
        return []


def _candidates(before: list[str], partial: str) -> Iterable[str]:
    typed = read_words(_without_last_flag(before), program.OPTIONS)
    bare = [word for word in typed.rest if not word.startswith("-")]
    options, operation = program.OPTIONS, None
    if not bare:
        names = [*services.SERVICES, *commands.MODULES, "help"]
    elif bare[0] in services.SERVICES:
        operations = services.operations_of(services.SERVICES[bare[0]])
        names = [*operations, "help"] if len(bare) == 1 else ["help"]
        operation = operations.get(bare[1]) if len(bare) > 1 else None
        if operation:
            options += (*options_of(operation), *extras.options_for(operation))
    else:
        names = list(SCRIPTS) if bare[0] == COMMAND.name else []
        options += commands.load(bare[0]).options if bare[0] in commands.MODULES else ()
    if before and before[-1].startswith("--"):
        option = find_option(options, before[-1])
        if option and option.takes != "none":
            return _values(option, operation, before)
    return [option.flag for option in options] if partial.startswith("-") else names


def _without_last_flag(before: list[str]) -> list[str]:
    """The words without an option at the end, whose value is what is being typed."""
    return before[:-1] if before and before[-1].startswith("--") else before


def _values(option: Option, operation: "Operation | None", before: list[str]) -> Iterable[str]:
    """What may be the value of an option."""
    shape = option.shape
    member = shape.member if shape and shape.type == "list" else shape
    if option.choices or (member and member.enum):
        return option.choices or (member.enum if member else ())
    if operation and option.key in ASKED:
        return _ids(option.key, before)
    return []


# Parameter -> the operation that lists its values, where they are in the answer, and their member.
ASKED = {
    "VoiceConnectorId": ("ListVoiceConnectors", "VoiceConnectors"),
    "ProxySessionId": ("ListProxySessions", "ProxySessions"),
}


def _ids(key: str, before: list[str]) -> list[str]:
    """The ids that the server knows, given what is typed already."""
    name, listed = ASKED[key]
    service = services.SERVICES["chime"]
    operation = services.model_of(service.model).operations[name]
    typed = read_words(_without_last_flag(before), (*program.OPTIONS, *options_of(operation)))
    members = operation.input.members if operation.input else {}
    parameters: dict[str, Any] = {k: v for k, v in typed.values.items() if k in members}
    settings = {k: v for k, v in typed.values.items() if k not in members}
    settings |= {"connect_timeout": str(PATIENCE), "read_timeout": str(PATIENCE)}
    answer = services.perform(program.resolve(settings), service, operation, parameters)
    return [str(item.get(key, "")) for item in answer.get(listed, [])]
