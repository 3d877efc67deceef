"""The pages of the program, of a service, and of a command of its own."""

from maskline.cli import commands, services
from maskline.cli import globals as program
from maskline.cli.manual.blocks import Block, Bullets, Code, Page, Section, Term, Text
from maskline.cli.manual.operation import GLOBALS_NOTE, option_blocks, synopsis
from maskline.cli.options import bad_choice

SERVICE_SUMMARIES = {
    "chime": "the proxy phone sessions of Amazon Chime, under its old name",
    "chime-sdk-voice": "the same operations under the name of the newest AWS clients",
    "admin": "what AWS never had: numbers, access keys, calls",
}


def program_page() -> Page:
    """The page about `maskline` itself."""
    return Page(
        "maskline",
        [
            Section(
                "DESCRIPTION",
                [
                    Text(
                        "Maskline serves proxy phone sessions: two people call and text each other"
                        " through a number in between, and neither learns the other's. This"
                        " program runs the service and talks to it."
                    )
                ],
            ),
            Section(
                "SYNOPSIS",
                [
                    Code(["maskline [options] <command> <subcommand> [parameters]"]),
                    Text(
                        "Use maskline command help for the subcommands of a command, and maskline"
                        " command subcommand help for one of them. The synopsis of each shows its"
                        " parameters; those in square brackets may be left out."
                    ),
                ],
            ),
            Section("OPTIONS", _global_options()),
            Section("AVAILABLE COMMANDS", _commands()),
            Section("FILES", _files()),
        ],
    )


def _global_options() -> list[Block]:
    blocks: list[Block] = []
    for option in program.OPTIONS:
        inner: list[Block] = [Text(option.documentation)]
        if option.choices:
            inner.append(Bullets(list(option.choices)))
        blocks.append(Term(f"{option.flag} ({option.type_name})", inner))
    return blocks


def _commands() -> list[Block]:
    summaries = dict(SERVICE_SUMMARIES)
    summaries |= {name: commands.load(name).summary for name in commands.MODULES}
    return [Term(name, [Text(summary)]) for name, summary in summaries.items()]


def _files() -> list[Block]:
    return [
        Term("~/.aws/config, ~/.aws/credentials", [Text("The profiles of the AWS clients.")]),
        Term(
            "var/credentials",
            [Text("The access key that the server in this directory made at its first start.")],
        ),
    ]


def service_page(service: services.ServiceCommand) -> Page:
    """The page about a service: what it is for and what it can do."""
    model = services.model_of(service.model)
    names = sorted(services.operations_of(service))
    return Page(
        service.command,
        [
            Section("DESCRIPTION", [Text(model.documentation), GLOBALS_NOTE]),
            Section("AVAILABLE COMMANDS", [Bullets([*names, "help"])]),
        ],
    )


def command_page(name: str) -> Page:
    """The page about a command that is no service. Raises BadUsage where there is none."""
    if name not in commands.MODULES:
        known = [*services.SERVICES, *commands.MODULES]
        raise bad_choice("command", name, known)
    command = commands.load(name)
    lines = [f"  {name} {command.takes}".rstrip(), *synopsis(command.options)]
    options = option_blocks(command.options) or [Text("None")]
    return Page(
        name,
        [
            Section("DESCRIPTION", [*map(Text, command.description), GLOBALS_NOTE]),
            Section("SYNOPSIS", [Code(lines)]),
            Section("OPTIONS", options),
        ],
    )
