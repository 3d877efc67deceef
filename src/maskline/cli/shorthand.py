"""The shorthand for structures: `Country=US,AreaCode=206`.

pairs    = pair *("," pair)
pair     = key "=" [value] / key "@=" value      "@=" reads a file:// or fileb:// value
value    = list / map / item *("," item)         several items make a list
list     = "[" [entry *("," entry)] "]"
map      = "{" [key "=" entry *("," key "=" entry)] "}"
entry    = list / map / item
item     = 'quoted' / "quoted" / bare text       a comma in bare text is written "\\,"
"""

import re
import string
from collections.abc import Callable

from maskline.cli import paramfile

KEY_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-_.#/:")
QUOTED = {quote: re.compile(rf"{quote}(?:\\{quote}|[^{quote}])*{quote}") for quote in "'\""}
NO_BARE_START = frozenset(string.whitespace + "\"',=[{")
FIRST_BARE_END = frozenset("\"',]}")  # `=` and `[` may stand inside the first item
NEXT_BARE_END = frozenset("\"',=")
Value = object


class NotShorthand(Exception):
    """The text does not follow the grammar; the exception's text points at the place."""


class _Unexpected(NotShorthand):
    """Some other character was expected at a place."""


def parse(option: str, text: str) -> dict[str, Value]:
    """The structure that `text` spells. `option` is named where a file cannot be read.

    Raises NotShorthand, and BadValue for a file.
    """
    return _Reader(option, text).pairs()


class _Reader:
    """A place in a text, and the productions of the grammar."""

    def __init__(self, option: str, text: str) -> None:
        self.option, self.text, self.at = option, text, 0
        self.reads_files = False

    # --- productions

    def pairs(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        start = 0
        while True:
            key = self.key()
            value = "" if self.at == len(self.text) else self.value()
            if key in found:
                raise NotShorthand(
                    f'Second instance of key "{key}" encountered for input:\n'
                    f"{self.point_at(start)}\n"
                    'This is often because there is a preceding "," instead of a space.'
                )
            found[key] = value
            if self.at == len(self.text):
                return found
            start = self.at + 1
            self.expect(",")

    def key(self) -> str:
        """A key and the `=` or `@=` behind it."""
        start = self.at
        while self.peek() in KEY_CHARACTERS:
            self.at += 1
        key = self.text[start : self.at]
        self.skip_blanks()
        self.reads_files = self.peek() == "@"
        if self.reads_files:
            self.expect("@")
        self.expect("=")
        return key

    def value(self) -> Value:
        if self.peek() in ("[", "{"):
            return self.entry()
        first = self.item(self.bare_first)
        items: list[Value] = [first]
        while self.peek() == ",":
            self.expect(",")
            item = self.following_item()
            if item is None:  # a key follows, not another item: go back to the comma before it
                self.at = self.text.rfind(",", 0, self.at + 1)
                break
            items.append(item)
        return items if len(items) > 1 else first

    def following_item(self) -> Value | None:
        """The next item of a list; None where a `key=` follows, at which the list ends."""
        try:
            item = self.item(self.bare_next)
        except _Unexpected:
            if self.at == len(self.text):
                raise
            return None
        return item if self.peek() in (",", "") else None

    def entry(self) -> Value:
        if self.peek() == "[":
            return self.bracketed("[", "]", self.entry)
        if self.peek() == "{":
            pairs: list[tuple[str, Value]] = []
            self.bracketed("{", "}", lambda: pairs.append((self.key(), self.entry())))
            return dict(pairs)
        return self.item(self.bare_first)

    def bracketed(self, opening: str, closing: str, production: Callable[[], Value]) -> list[Value]:
        self.expect(opening)
        found: list[Value] = []
        while self.peek() != closing:
            found.append(production())
            self.skip_blanks()
            if self.peek() != closing:
                self.expect(",")
        self.at += 1
        return found

    def item(self, bare: Callable[[], str]) -> Value:
        quote = self.peek()
        text = self.quoted(quote) if quote in ("'", '"') else bare()
        self.skip_blanks()
        return paramfile.load(self.option, text) if self.reads_files else text

    def quoted(self, quote: str) -> str:
        found = QUOTED[quote].match(self.text, self.at)
        if not found:
            name = "singled quoted" if quote == "'" else "double quoted"
            raise self.unexpected(f"<{name}>", "<none>")
        self.at = found.end()
        inner = found[0][1:-1]
        return inner.replace(f"\\{quote}", quote).replace("\\\\", "\\")

    def bare_first(self) -> str:
        """Bare text after `=`; there may be none."""
        return self.bare(FIRST_BARE_END)

    def bare_next(self) -> str:
        """Bare text after a comma: an `=` in it shows that it is a key."""
        text = self.bare(NEXT_BARE_END)
        if not text:
            raise self.unexpected("<second>", "<none>")
        return text

    def bare(self, end: frozenset[str]) -> str:
        start = self.at
        stops = NO_BARE_START
        while self.at < len(self.text):
            if self.text.startswith("\\,", self.at):
                self.at += 2
            elif self.peek() in stops:
                break
            else:
                self.at += 1
            stops = end
        return self.text[start : self.at].replace("\\,", ",").rstrip()

    # --- places

    def peek(self) -> str:
        """The next character; nothing at the end."""
        return self.text[self.at : self.at + 1]

    def skip_blanks(self) -> None:
        while self.peek().isspace():
            self.at += 1

    def expect(self, character: str) -> None:
        self.skip_blanks()
        if self.peek() != character:
            raise self.unexpected(character, self.peek() or "EOF")
        self.at += 1
        self.skip_blanks()

    def unexpected(self, wanted: str, found: str) -> _Unexpected:
        return _Unexpected(
            f"Expected: '{wanted}', received: '{found}' for input:\n {self.point_at(self.at)}"
        )

    def point_at(self, place: int) -> str:
        """The text with a `^` under one of its characters."""
        line_end = self.text.find("\n", place)
        line_end = len(self.text) if line_end < 0 else line_end
        column = place - (self.text.rfind("\n", 0, place) + 1)
        return f"{self.text[:line_end]}\n{' ' * column}^{self.text[line_end:]}"
