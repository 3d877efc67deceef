"""Options, and reading them from the words of a command line.

One small parser instead of argparse: it says what AWS CLI 2 says, and starts in no time.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from maskline.cli.faults import BadUsage

if TYPE_CHECKING:
    from maskline.model import Shape

FEW_CHOICES = 15
_NEGATIVE_NUMBER = re.compile(r"^-\d+$|^-\d*\.\d+$")


class Option(NamedTuple):
    """One `--name`.

    `takes` is how many words follow: "one", "any" (a list), "none" (a switch), or "maybe"
    (one word or none; then `fixed` is the value).
    A switch sets `fixed`. Options with the same `key` set the same value; the last one wins.
    `group` joins options that the synopsis shows as alternatives.
    """

    name: str
    key: str
    takes: str = "one"
    fixed: object = None
    required: bool = False
    choices: tuple[str, ...] = ()
    shape: "Shape | None" = None
    group: str = ""
    documentation: str = ""
    type_name: str = "string"

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.name}"


class Words(NamedTuple):
    """What reading a command line found: values by key, and the words that were no options."""

    values: dict[str, object]
    rest: list[str]


def _looks_like_option(word: str) -> bool:
    """Whether a word cannot be the value of an option before it."""
    if len(word) < 2 or not word.startswith("-") or _NEGATIVE_NUMBER.match(word):
        return False
    return " " not in word.partition("=")[0]


def find_option(options: Sequence[Option], word: str) -> Option | None:
    """The option that `word` names, in full or by a prefix that only it has. Raises BadUsage."""
    flag = word.partition("=")[0]
    if not flag.startswith("--") or flag == "--":
        return None
    matches = [option for option in options if option.flag.startswith(flag)]
    exact = next((option for option in matches if option.flag == flag), None)
    if exact or len(matches) < 2:
        return exact or (matches[0] if matches else None)
    could = ", ".join(option.flag for option in matches)
    raise BadUsage(f"ambiguous option: {word} could match {could}")


def _count_values(words: Sequence[str], start: int) -> int:
    """How many words from `start` on can be values."""
    end = start
    while end < len(words) and not _looks_like_option(words[end]):
        end += 1
    return end - start


def _check_choice(option: Option, value: str) -> None:
    if option.choices and value not in option.choices:
        raise bad_choice(option.flag, value, option.choices)


def bad_choice(argument: str, value: str, choices: Sequence[str]) -> BadUsage:
    """The fault of a word that is none of `choices`, with what may have been meant. Where there are
    few, a hint names them all."""
    from difflib import get_close_matches

    near = get_close_matches(value, choices, cutoff=0.8)
    meant = "\n".join(["\nMaybe you meant:\n", *(f"  * {word}" for word in near)]) if near else ""
    hint = f"one of {', '.join(choices)}" if len(choices) <= FEW_CHOICES else ""
    return BadUsage(f"argument {argument}: Found invalid choice '{value}'\n{meant}", hint)


def _take_value(option: Option, words: Sequence[str], start: int) -> tuple[object, int]:
    """The value of `option` from the words after it, and how many of them it used."""
    available = _count_values(words, start)
    if option.takes == "none":
        return option.fixed, 0
    if option.takes == "any":
        return list(words[start : start + available]), available
    if not available:
        if option.takes == "maybe":
            return option.fixed, 0
        raise BadUsage(f"argument {option.flag}: expected one argument")
    _check_choice(option, words[start])
    return words[start], 1


def _attached_value(option: Option, value: str) -> object:
    """The value of an option written as `--option=value`."""
    if option.takes == "none":
        raise BadUsage(f"argument {option.flag}: ignored explicit argument '{value}'")
    _check_choice(option, value)
    return [value] if option.takes == "any" else value


def read_words(words: Sequence[str], options: Sequence[Option]) -> Words:
    """Take all the options out of `words`.

    Words that belong to no option stay in `rest`, in their order. Raises BadUsage.
    """
    values: dict[str, object] = {}
    rest: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        _, equals, attached = word.partition("=")
        option = find_option(options, word) if _looks_like_option(word) else None
        if option is None:
            rest.append(word)
        elif equals:
            values[option.key] = _attached_value(option, attached)
        else:
            values[option.key], used = _take_value(option, words, position)
            position += used
    return Words(values, rest)


def require(options: Sequence[Option], values: dict[str, object]) -> None:
    """Raise BadUsage when a required option was not given.

    Switches are left to the validation of the parameters, as in the AWS clients.
    """
    wanted = [option for option in options if option.required and option.takes != "none"]
    missing = [option.flag for option in wanted if option.key not in values]
    if missing:
        raise BadUsage(f"the following arguments are required: {', '.join(missing)}")
