"""Which operation a request means: by method, path and what the query string fixes."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from maskline.model.service import Operation, Service

# First segments that some clients put before every path.
PREFIXES = ("console",)

MOST_SEGMENTS = 32  # of a path; no operation's has ten

# A plus sign as a client encodes it that had it encoded already, from an answer of AWS's own.
ENCODED_PLUS = ("%2B", "%2b")

Query = Mapping[str, list[str]]


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
    names: list[tuple[int, str]]


class Route:
    """The operations of one method and one template, told apart by what their queries fix."""

    def __init__(self) -> None:
        self._choices: list[tuple[dict[str, list[str]], Choice]] = []
        self._telling: set[str] = set()

    def add(self, choice: Choice) -> None:
        fixed = {name: [value] for name, value in choice.operation.query.items()}
        self._choices.append((fixed, choice))
        self._telling |= fixed.keys()

    def choose(self, query: Query) -> Choice | None:
        """The one whose query says exactly what the request's does about what tells them apart.

        So a misspelt `?operation=` is no operation, rather than the one that has none.
        """
        said = {name: query[name] for name in self._telling if name in query}
        for fixed, choice in self._choices:
            if fixed == said:
                return choice
        return None


class Branch:
    """What may follow the beginning of a path: segments spelt out, or any at all."""

    def __init__(self) -> None:
        self.literals: dict[str, Branch] = {}
        self.parameter: Branch | None = None
        self.routes: dict[str, Route] = {}  # by method, of the paths that end here

    def grown(self, segments: list[str]) -> "Branch":
        """The branch at the end of a template's segments, made where it is not there yet."""
        if not segments:
            return self
        first, *rest = segments
        if not is_parameter(first):
            return self.literals.setdefault(first, Branch()).grown(rest)
        if self.parameter is None:
            self.parameter = Branch()
        return self.parameter.grown(rest)

    def find(self, path: list[str], at: int, method: str, query: Query) -> Choice | None:
        """What a path means from its segment `at` on; what is spelt out goes first."""
        branch = self
        for place in range(at, len(path)):
            literal, parameter = branch.literals.get(path[place]), branch.parameter
            if literal and parameter and (found := literal.find(path, place + 1, method, query)):
                return found
            following = parameter or literal
            if following is None:
                return None
            branch = following
        route = branch.routes.get(method)
        return route.choose(query) if route else None

    def methods(self, path: list[str]) -> set[str]:
        """The methods that a path has, whatever the query says."""
        if not path:
            return {*self.routes}
        followers = (self.literals.get(path[0]), self.parameter)
        return {method for each in followers if each for method in each.methods(path[1:])}


class Router:
    """Finds operations of several services, whose paths must differ.

    `refused` is a service whose operations are known by name and not offered.
    """

    def __init__(self, services: Iterable[Service], refused: Service | None = None) -> None:
        self._refused = refused
        self._root = Branch()
        for service in (*services, *([refused] if refused else [])):
            for operation in service.operations.values():
                self._add(service, operation)

    def match(self, method: str, raw_path: str, query: Query) -> Match:
        """The operation of a request; `raw_path` is as it came, still encoded.

        Raises NoOperation. An empty segment is an empty parameter, for validation to refuse.
        """
        if raw_path.count("/") > MOST_SEGMENTS:  # strangers may send thousands
            raise NoOperation(())
        segments = segments_of(raw_path)
        if "%" in raw_path:
            segments = [unquote(segment) for segment in segments]
        for path in readings(segments):
            if choice := self._root.find(path, 0, method, query):
                return self._matched(choice, path)
        allowed = {each for path in readings(segments) for each in self._root.methods(path)}
        raise NoOperation(tuple(sorted(allowed)))

    def _matched(self, choice: Choice, path: list[str]) -> Match:
        service, operation, names = choice
        if service is self._refused:
            raise NoOperation((), operation.name)
        params = {name: parameter(path[at]) for at, name in names}
        return Match(service, operation, params)

    def _add(self, service: Service, operation: Operation) -> None:
        segments = segments_of(operation.uri)
        names = [(at, each[1:-1]) for at, each in enumerate(segments) if is_parameter(each)]
        routes = self._root.grown(segments).routes
        routes.setdefault(operation.method, Route()).add(Choice(service, operation, names))


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
