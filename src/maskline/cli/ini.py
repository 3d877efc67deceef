"""The AWS INI format: sections, settings, and settings nested below a setting."""

import re

Section = dict[str, "str | Section"]


class NotIni(Exception):
    """A line is neither a section, a setting nor a comment."""


def read_ini(text: str) -> dict[str, Section]:
    """The sections of a document. Indented settings belong to the empty setting above them.

    Raises NotIni.
    """
    sections: dict[str, Section] = {}
    section: Section | None = None
    last = ""
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if stripped[0] == "[" and stripped[-1] == "]":
            section = sections.setdefault(" ".join(stripped[1:-1].split()), {})
        elif section is None:
            raise NotIni(stripped)
        elif line[0].isspace() and last in section:
            _nest(section, last, stripped)
        else:
            last, value = _setting(stripped)
            section[last] = value
    return sections


def _setting(line: str, separators: str = "=:") -> tuple[str, str]:
    name, *value = re.split(f"[{separators}]", line, maxsplit=1)
    if not value:
        raise NotIni(line)
    return name.strip().lower(), value[0].strip()


def _nest(section: Section, parent: str, line: str) -> None:
    """Put an indented line below the setting before it."""
    inner = section[parent]
    if inner == "":
        inner = section[parent] = {}
    if isinstance(inner, dict):
        name, value = _setting(line, "=")
        inner[name] = value


def profiles(sections: dict[str, Section], config: bool) -> dict[str, Section]:
    """The profiles among the sections: in the config file they are called `profile NAME`."""
    found: dict[str, Section] = {}
    for name, section in sections.items():
        if not config or name == "default":
            found[name] = section
        elif name.startswith("profile "):
            found[name.removeprefix("profile ").strip("\"'")] = section
    return found
