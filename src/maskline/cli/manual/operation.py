"""The manual page of an operation: a reading of its model, laid out like the original's pages."""

from typing import TYPE_CHECKING

from maskline.cli import extras
from maskline.cli.arguments import COMMON, options_of
from maskline.cli.manual import examples, syntax
from maskline.cli.manual.blocks import Block, Bullets, Code, Page, Section, Term, Text
from maskline.cli.names import kebab
from maskline.cli.options import Option
from maskline.cli.services import ServiceCommand

if TYPE_CHECKING:
    from maskline.model import Operation, Shape

GLOBALS_NOTE = Text("See 'maskline help' for descriptions of global parameters.")


def page(service: ServiceCommand, operation: "Operation") -> Page:
    """The page of an operation as a subcommand of a service."""
    options = (*options_of(operation), *extras.options_for(operation))
    name = kebab(operation.name)
    sections = [
        Section("DESCRIPTION", [Text(operation.documentation), SEE_ALSO, GLOBALS_NOTE]),
        Section("SYNOPSIS", [Code([f"  {name}", *synopsis(options)])]),
        Section("OPTIONS", [*option_blocks(options), GLOBALS_NOTE]),
    ]
    if shown := _example_blocks(service, name):
        sections.append(Section("EXAMPLES", shown))
    return Page(name, [*sections, Section("OUTPUT", _output(operation.output))])


SEE_ALSO = Text("See also: Maskline API Documentation")


def grouped(options: tuple[Option, ...]) -> list[list[Option]]:
    """The options, those of a group together where the first of them stands."""
    groups: dict[str, list[Option]] = {}
    for option in options:
        groups.setdefault(option.group or option.flag, []).append(option)
    return list(groups.values())


def synopsis(options: tuple[Option, ...]) -> list[str]:
    """A line for each option, in brackets where it may be left out."""
    lines = []
    for group in grouped(options):
        value = " <value>" if len(group) == 1 and group[0].takes != "none" else ""
        line = " | ".join(option.flag for option in group) + value
        lines.append(line if group[0].required else f"[{line}]")
    return lines


def option_blocks(options: tuple[Option, ...]) -> list[Block]:
    """What each option means and how its value is typed."""
    blocks: list[Block] = []
    for group in grouped(options):
        option = group[0]
        title = f"{' | '.join(each.flag for each in group)} ({option.type_name})"
        if option in COMMON:  # the original's pages run these on, title and text in one
            blocks.append(Text(f"{title} {option.documentation}"))
            continue
        blocks.append(Term(title, _meaning(option)))
        if option.shape and option.takes != "none":
            blocks += syntax.examples(option.shape)
    return blocks


def _meaning(option: Option) -> list[Block]:
    blocks: list[Block] = [Text(option.documentation)] if option.documentation else []
    choices = option.shape.enum if option.shape else option.choices
    if choices:
        blocks += [Text("Possible values:"), Bullets(list(choices))]
    return blocks + (_inner(option.shape) if option.shape else [])


def _inner(shape: "Shape") -> list[Block]:
    """What is inside a structure, a list or a map."""
    if shape.type == "structure":
        return [_member(name, member) for name, member in shape.members.items()]
    if shape.type == "list" and shape.member:
        return [_member("", shape.member)]
    if shape.type == "map" and shape.key and shape.value:
        return [_member("key", shape.key), _member("value", shape.value)]
    return []


def _member(name: str, shape: "Shape") -> Term:
    title = f"{name} -> ({shape.type})" if name else f"({shape.type})"
    text: list[Block] = [Text(shape.documentation)] if shape.documentation else []
    return Term(title, text + _inner(shape))


def _output(shape: "Shape | None") -> list[Block]:
    return _inner(shape) if shape and shape.members else [Text("None")]


def _example_blocks(service: ServiceCommand, name: str) -> list[Block]:
    blocks: list[Block] = []
    for example in examples.read(service.model, name):
        blocks += [Text(example.title, strong=True), *example.blocks]
    return blocks
