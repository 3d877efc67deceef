"""The options of an operation, and its parameters from what was typed for them."""

from typing import TYPE_CHECKING, Any

from maskline.cli.document import JSON, YAML, read_document
from maskline.cli.names import kebab
from maskline.cli.options import Option
from maskline.cli.values import read_value

if TYPE_CHECKING:
    from maskline.model import Operation, Shape

SKELETON = "generate-cli-skeleton"

_DOCUMENTS = (
    "Takes the parameters from a document, a JSON object or a YAML map, given inline or as"
    " file://NAME. --generate-cli-skeleton prints such a document to be filled in. An option typed"
    " beside it replaces the whole member of the same name. Binary values cannot be written in"
    " JSON. Only one of the two can be given."
)

# Every operation has these. Their descriptions are in our own words, their behaviour is AWS's.
COMMON = (
    Option(JSON, JSON, group="cli_input", documentation=_DOCUMENTS),
    Option(YAML, YAML, group="cli_input", documentation=_DOCUMENTS),
    Option(
        SKELETON,
        SKELETON,
        takes="maybe",
        fixed="input",
        choices=("input", "output", "yaml-input"),
        documentation=(
            "Prints a sample and sends nothing. With no value, or with input: the parameters as"
            " JSON, to be filled in and given to --cli-input-json. With yaml-input: the same as"
            " YAML, for --cli-input-yaml. With output: the parameters typed are validated, and a"
            " sample of the answer is printed."
        ),
    ),
)


def options_of(operation: "Operation") -> tuple[Option, ...]:
    """The options of an operation, in the order of its input's members."""
    input_shape = operation.input
    own: list[Option] = []
    if input_shape:
        for name, shape in input_shape.members.items():
            own += _options_for(name, shape, name in input_shape.required)
    return (*own, *COMMON)


def _options_for(name: str, shape: "Shape", required: bool) -> list[Option]:
    """The option for a member; a boolean has two, to say yes and to say no."""
    option = Option(
        kebab(name),
        name,
        takes="any" if shape.type == "list" else "one",
        required=required,
        shape=shape,
        documentation=shape.documentation,
        type_name=shape.type,
    )
    if shape.type != "boolean":
        return [option]
    switch = option._replace(takes="none", group=option.name)
    negative = switch._replace(name=f"no-{option.name}", fixed=False)
    return [switch._replace(fixed=True), negative]


def lifts_requirements(values: dict[str, Any]) -> bool:
    """Whether required options may be missing: a document may hold them, or a sample is wanted."""
    skeleton = values.get(SKELETON)
    return JSON in values or YAML in values or (skeleton is not None and skeleton != "output")


def parameters_from(options: tuple[Option, ...], values: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a call by member name: those typed first, then those of the document.

    Raises BadParameters.
    """
    parameters: dict[str, Any] = {}
    for option in options:
        if option.shape and option.key in values:
            value = values[option.key]
            switch = option.takes == "none"
            parameters[option.key] = (
                value if switch else read_value(option.flag, option.shape, value)
            )
    return {**parameters, **{k: v for k, v in read_document(values).items() if k not in parameters}}
