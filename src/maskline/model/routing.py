"""Which operation a request means: by method, path and what the query string fixes."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from maskline.model.service import Operation, Service

# First segments that some clients put before every path.
PREFIXES = ("console",)

# A plus sign as a client encodes it that had it encoded already, from an answer of AWS's own.
ENCODED_PLUS = ("%2B", "%2b")

Query = Mapping[str, list[str]]
Template = tuple[str | None, ...]  # the segments of a path; None where any may stand


class NoOperation(Exception):
    """No operation has this method and path. `allowed` are the methods that the path does have.

    `refused` is the name that the operation has with AWS, where it is one that is not offered.
    """

    def __init__(self, allowed: tuple[str, ...], refused: str | None = None) -> None:
        super().__init__("no such operation")
        self.allowed = allowed
        self.refused = refused


class Match(NamedTuple):
    """The operation a request means, and its path's parameters by their names in the template."""

    service: Service
    operation: Operation
    path_params: dict[str, str]


class Choice(NamedTuple):
    """An operation, and where in its path which parameter stands."""

    service: Service
    operation: Operation
    names: dict[int, str]


class Route:
    """The operations of one method and one template, told apart by what their queries fix."""

    def __init__(self) -> None:
        self._choices: list[tuple[dict[str, list[str]], Choice]] = []
        self._telling: set[str] = set()

    def add(self, service: Service, operation: Operation) -> None:
        fixed = {name: [value] for name, value in operation.query.items()}
        names = {
            position: segment[1:-1]
            for position, segment in enumerate(segments_of(operation.uri))
            if is_parameter(segment)
        }
        self._choices.append((fixed, Choice(service, operation, names)))
        self._telling |= operation.query.keys()

    def choose(self, query: Query) -> Choice | None:
        """The one whose query says exactly what the request's does about what tells them apart.

        So a misspelt `?operation=` is no operation, rather than the one that has none.
        """
        said = {name: query[name] for name in self._telling if name in query}
        return next((choice for fixed, choice in self._choices if fixed == said), None)


class Router:
    """Finds operations of several services, whose paths must differ.

    `refused` is a service whose operations are known by name and not offered.
    """

    def __init__(self, services: Iterable[Service], refused: Service | None = None) -> None:
        self._refused = refused
        self._routes: dict[tuple[str, Template], Route] = {}
        self._kinds: dict[tuple[str, int], list[tuple[bool, ...]]] = {}
        for service in (*services, *([refused] if refused else [])):
            for operation in service.operations.values():
                self._add(service, operation)

    def match(self, method: str, raw_path: str, query: Query) -> Match:
        """The operation of a request; `raw_path` is as it came, still encoded.

        Raises NoOperation. An empty segment is an empty parameter, for validation to refuse.
        """
        segments = [unquote(segment) for segment in segments_of(raw_path)]
        for path in readings(segments):
            for route in self._candidates(method, path):
                if choice := route.choose(query):
                    return self._matched(choice, path)
        raise NoOperation(self._allowed(segments))

    def _matched(self, choice: Choice, path: list[str]) -> Match:
        service, operation, names = choice
        if service is self._refused:
            raise NoOperation((), operation.name)
        params = {name: parameter(path[at]) for at, name in names.items()}
        return Match(service, operation, params)

    def _add(self, service: Service, operation: Operation) -> None:
        template = tuple(
            None if is_parameter(segment) else segment for segment in segments_of(operation.uri)
        )
        route = self._routes.setdefault((operation.method, template), Route())
        route.add(service, operation)
        kinds = self._kinds.setdefault((operation.method, len(template)), [])
        kind = tuple(segment is not None for segment in template)
        if kind not in kinds:
            kinds.append(kind)
            kinds.sort(reverse=True)  # a path that is spelt out goes before one with a parameter

    def _candidates(self, method: str, path: list[str]) -> Iterable[Route]:
        for kind in self._kinds.get((method, len(path)), ()):
            template = tuple(
                segment if literal else None for segment, literal in zip(path, kind, strict=True)
            )
            if route := self._routes.get((method, template)):
                yield route

    def _allowed(self, segments: list[str]) -> tuple[str, ...]:
        methods = sorted({method for method, _ in self._kinds})
        return tuple(
            method
            for method in methods
            if any(True for path in readings(segments) for _ in self._candidates(method, path))
        )


def segments_of(path: str) -> list[str]:
    return path.split("/")[1:]


def is_parameter(segment: str) -> bool:
    return segment.startswith("{")


def readings(segments: list[str]) -> Iterable[list[str]]:
    """The path as it is, then without a prefix that does not belong to it."""
    yield segments
    if segments and segments[0] in PREFIXES:
        yield segments[1:]


def parameter(text: str) -> str:
    """A path's parameter, decoded once already; a phone number's plus may be encoded twice."""
    return f"+{text[3:]}" if text.startswith(ENCODED_PLUS) else text
