"""Manual pages in the language of `man`, for groff and for installing."""

from maskline.cli.manual.blocks import Block, Bullets, Code, Page, Term, Text

# One step inwards. Half characters are rounded in turns, which gives the 3, 4, 3, 4 of the
# original's pages.
STEP = "3.5"


def render(page: Page, section: str = "") -> str:
    """The page's source. `section` is the manual's section for installed pages."""
    title = page.name.upper()
    lines = [f'.TH "{escape(title)}" "{section}" "" "" ""', ".SH NAME"]
    lines.append(f"{escape(page.name)} \\- {escape(page.summary)}".rstrip())
    for part in page.sections:
        lines.append(f'.SH "{escape(part.title)}"')
        for block in part.blocks:
            lines += _block(block)
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that groff shows as it is: every dash stays a dash that can be typed."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def _block(block: Block) -> list[str]:
    if isinstance(block, Text):
        text = escape(" ".join(block.text.split()))
        return [".PP", f"\\fB{text}\\fP" if block.strong else text]
    if isinstance(block, Code):
        lines = [escape(line) for line in block.lines]
        return [".PP", f".RS {STEP}", ".nf", *(line or "\\&" for line in lines), ".fi", ".RE"]
    if isinstance(block, Bullets):
        return [line for item in block.items for line in (".IP o 2", escape(item))]
    return _term(block)


def _term(term: Term) -> list[str]:
    """A name and what is below it. The first paragraph follows without an empty line."""
    lines = [".PP", f"\\fB{escape(term.name)}\\fP"]
    if not term.blocks:
        return lines
    first, rest = term.blocks[0], term.blocks[1:]
    inner = _block(first)
    if isinstance(first, Text):
        inner = [".br" if line == ".PP" else line for line in inner]
    for block in rest:
        inner += _block(block)
    return [*lines, f".RS {STEP}", *inner, ".RE"]
