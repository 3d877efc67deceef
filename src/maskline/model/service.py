"""Services, their operations and their shapes, as the files under `data` describe them.

The files are in the format of AWS's own models. A shape is made when it is asked for and then
kept, so that a command line pays for the one operation it calls.

Plain classes, because importing `dataclasses` alone takes a fifth of what a command may take.
"""

from functools import cached_property
from typing import Any

Facts = dict[str, Any]


class Shape:
    """What a value has to look like, and where in a message it stands.

    `min` and `max` bound a number, or the length of a text or a list. `location` is "uri",
    "querystring", "header", or None for the body; `location_name` is the name there, None where
    it is the member's own.
    """

    def __init__(self, facts: Facts, shapes: "dict[str, Facts]") -> None:
        name: str = facts["shape"]
        facts = shapes[name] | facts  # a member may say more about a shape than the shape itself
        self._facts = facts
        self._shapes = shapes
        self.name = name
        self.type: str = facts["type"]
        self.required: tuple[str, ...] = tuple(facts.get("required", ()))
        self.enum: tuple[str, ...] = tuple(facts.get("enum", ()))
        self.pattern: str | None = facts.get("pattern")
        self.min: int | None = facts.get("min")
        self.max: int | None = facts.get("max")
        self.location: str | None = facts.get("location")
        self.location_name: str | None = facts.get("locationName")
        self.sensitive: bool = facts.get("sensitive", False)
        self.documentation: str = facts.get("documentation", "")
        self.payload: str | None = facts.get("payload")
        self.timestamp_format: str | None = facts.get("timestampFormat")

    @cached_property
    def members(self) -> "dict[str, Shape]":
        """The members of a structure, in the order of the model; empty for other types."""
        members: dict[str, Facts] = self._facts.get("members", {})
        return {name: Shape(facts, self._shapes) for name, facts in members.items()}

    @cached_property
    def member(self) -> "Shape | None":
        """The items of a list."""
        return self._inner("member")

    @cached_property
    def key(self) -> "Shape | None":
        """The keys of a map."""
        return self._inner("key")

    @cached_property
    def value(self) -> "Shape | None":
        """The values of a map."""
        return self._inner("value")

    def _inner(self, name: str) -> "Shape | None":
        return Shape(self._facts[name], self._shapes) if name in self._facts else None

    def __repr__(self) -> str:
        return f"Shape({self.name}: {self.type})"


class Operation:
    """One thing that a service can be asked to do.

    `uri` is a path with `{names}` in it, `query` what its query string always holds. Both, and
    `method`, are empty where the service does not speak HTTP. `errors` are names of exceptions.
    `services` are those of AWS's that have it, where a model tells.
    """

    def __init__(self, facts: Facts, shapes: dict[str, Facts]) -> None:
        http = facts.get("http", {})
        self._facts = facts
        self._shapes = shapes
        self.name: str = facts["name"]
        self.method: str = http.get("method", "")
        self.uri, self.query = split_uri(http.get("requestUri", ""))
        self.status: int = http.get("responseCode", 200)
        self.errors: tuple[str, ...] = tuple(error["shape"] for error in facts.get("errors", ()))
        self.documentation: str = facts.get("documentation", "")
        self.deprecated: bool = facts.get("deprecated", False)
        self.services: tuple[str, ...] = tuple(facts.get("services", ()))

    @cached_property
    def input(self) -> Shape | None:
        return self._shape("input")

    @cached_property
    def output(self) -> Shape | None:
        return self._shape("output")

    @cached_property
    def error_statuses(self) -> dict[str, int]:
        """The HTTP status of each exception in `errors`."""
        return {name: self._shapes[name]["error"]["httpStatusCode"] for name in self.errors}

    def _shape(self, name: str) -> Shape | None:
        return Shape(self._facts[name], self._shapes) if name in self._facts else None

    def __repr__(self) -> str:
        return f"Operation({self.name}: {self.method} {self.uri})"


class Service:
    """A service model. `version` is its date; `shapes` are made when they are asked for."""

    def __init__(self, name: str, document: Facts) -> None:
        self._document = document
        self.name = name
        self.metadata: dict[str, Any] = document["metadata"]
        self.version: str = self.metadata["apiVersion"]
        self.documentation: str = document.get("documentation", "")
        self.operations: dict[str, Operation] = {
            each: Operation(facts, document["shapes"])
            for each, facts in document["operations"].items()
        }

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        shapes = self._document["shapes"]
        return {name: Shape({"shape": name}, shapes) for name in shapes}

    def __repr__(self) -> str:
        return f"Service({self.name} {self.version})"


def split_uri(uri: str) -> tuple[str, dict[str, str]]:
    """The path of a request URI of a model, and what its query string fixes."""
    path, _, query = uri.partition("?")
    pairs = (item.partition("=") for item in query.split("&") if item)
    return path, {name: value for name, _, value in pairs}
