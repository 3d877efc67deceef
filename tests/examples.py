"""What stands in an example of the manual: what is typed, and what is printed."""

from maskline.cli.manual.blocks import Code, Text
from maskline.cli.manual.examples import Example


def commands_of(example: Example) -> list[str]:
    """Line ends joined."""
    codes = [block for block in example.blocks if isinstance(block, Code)]
    return [
        " ".join(line.rstrip("\\").strip() for line in code.lines)
        for code in codes
        if code.lines[0].startswith("maskline ")
    ]


def output_of(example: Example) -> str:
    """Empty where nothing is printed."""
    for before, block in zip(example.blocks, example.blocks[1:], strict=False):
        if before == Text("Output:") and isinstance(block, Code):
            return "\n".join(block.lines) + "\n"
    return ""
