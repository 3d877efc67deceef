"""Every input member and every constraint of an operation, tried right and wrong: the cases.

A case changes one place of a request that is right otherwise. A place is a path: the name of a
member, then names in structures and indexes in lists.
"""

import copy
from typing import NamedTuple

import values

ABSENT = object()
LONGEST_IN_A_URL = 60_000  # parsers of HTTP stop at 64 KiB, and the connection ends there
UNKNOWN = "Nonsense"


def nested(levels, leaf):
    return b'{"a": ' + b"[" * levels + leaf + b"]" * levels + b"}"


BODIES = {
    "no JSON": b"{",
    "no object": b"[]",
    "a text": b'"text"',
    "null": b"null",
    "no UTF-8": b'{"a": "\xff"}',
    "two objects": b"{}{}",
    "nested without end": b'{"a": ' + b"[" * 10_000,
    **{f"{levels} levels": nested(levels, b"1") for levels in range(100, 1000, 100)},
    **{f"{levels} levels, null": nested(levels, b"null") for levels in range(100, 1000, 100)},
}


class Case(NamedTuple):
    """`fault` is what is wrong with the value, as a word of the server's message; None: nothing."""

    path: tuple
    what: str
    value: object
    fault: "str | None"

    @property
    def right(self):
        return self.fault is None

    @property
    def place(self):
        """The path as names: `Termination.CidrAllowedList[]`."""
        text = ""
        for step in self.path:
            text += "[]" if isinstance(step, int) else f".{step}" if text else step
        return text

    def applied(self, arguments):
        """A copy of the arguments with the change made."""
        if not self.path:
            return arguments
        changed = copy.deepcopy(arguments)
        holder = changed
        for step in self.path[:-1]:
            holder = holder[step]
        if self.value is ABSENT:
            del holder[self.path[-1]]
        else:
            holder[self.path[-1]] = self.value
        return changed


def cases_of(model, operation, arguments_for):
    """All the cases of an operation.

    `arguments_for(member)` is a request with that member, and with all others that can be told at
    the same time; with None it is the fullest there is. Of every member there must be one.
    """
    facts = model.input(operation)
    yield Case((), "everything told", None, None)
    yield from bodies(facts)
    yield from unknown_members(facts, ())
    for name, reference in facts.get("members", {}).items():
        member = model.shape(reference)
        arguments = arguments_for(name)
        assert name in arguments, f"{operation} is not asked with {name}: the stage must"
        required = name in facts.get("required", ())
        yield from presence(member, (name,), required, member.get("location"))
        yield from places(model, member, (name,), arguments[name], member.get("location"))


def bodies(facts):
    """Bodies that hold no members at all."""
    if has_body(facts):
        for what, body in BODIES.items():
            yield Case((), f"a body of {what}", body, "The request body")


def has_body(facts):
    return any("location" not in each for each in facts.get("members", {}).values())


def presence(facts, path, required, location):
    """Left out and null: both are the same. In the path of the URL neither can be told."""
    if location == "uri":
        return
    fault = "must not be null" if required else None
    yield Case(path, "left out", ABSENT, fault)
    if location is None:
        yield Case(path, "null", None, fault)


def places(model, facts, path, example, location=None):
    """The cases of a value and of all that it holds; `example` is a right one."""
    yield from other_types(facts, path, location)
    for what, value in values.right(facts):
        if can_be_sent(value, location):
            yield Case(path, what, value, None)
    for what, value in values.wrong(facts):
        if can_be_sent(value, location):
            yield Case(path, what, value, "failed to satisfy constraint")
    if location == "uri":
        yield Case(path, "nothing", "", "failed to satisfy constraint")
    if facts["type"] == "structure":
        yield from structure(model, facts, path, example)
    elif facts["type"] == "list":
        yield from listing(model, facts, path, example)


def can_be_sent(value, location):
    return location is None or not isinstance(value, str) or len(value) <= LONGEST_IN_A_URL


def other_types(facts, path, location):
    if location is None:
        found = values.OTHER_TYPES[facts["type"]]
    else:
        found = values.IN_A_QUERY.get(facts["type"], []) if location == "querystring" else []
    for value in found:
        yield Case(path, f"of another type: {value!r:.40}", value, "must be of type")
    if location == "querystring" and facts["type"] != "list":
        yield Case(path, "told twice", ["a", "b"], "must be of type")


def structure(model, facts, path, example):
    yield from unknown_members(facts, path)
    for name, reference in facts["members"].items():
        if name not in example:
            continue
        member, place = model.shape(reference), (*path, name)
        yield from presence(member, place, name in facts.get("required", ()), None)
        yield from places(model, member, place, example[name])


def unknown_members(facts, path):
    """Members that a body can have; without one there is no place to put them."""
    if has_body(facts):
        yield Case((*path, UNKNOWN), "unknown", "x", "Unknown member")


def listing(model, facts, path, example):
    least, most = facts.get("min", 0), facts.get("max")
    item = example[0]
    yield Case(path, "an empty list", [], "must have length" if least else None)
    if least:
        yield Case(path, f"{least - 1} items", [item] * (least - 1), "must have length")
        yield Case(path, f"{least} items", spread(example, least), None)
    if most is not None:
        yield Case(path, f"{most} items", spread(example, most), None)
        yield Case(path, f"{most + 1} items", spread(example, most + 1), "must have length")
    yield Case((*path, 0), "null among the items", None, "must not be null")
    yield from places(model, model.shape(facts["member"]), (*path, 0), item)


def spread(example, length):
    """So many items, those of the example over and over."""
    return [copy.deepcopy(example[at % len(example)]) for at in range(length)]
