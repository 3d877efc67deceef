"""The service models as one OpenAPI 3.1 document.

OpenAPI knows one operation for a path and method, AWS's services tell some apart by `?operation=`.
Such a twin stands under its path with a fragment, which is never sent, and requires the query
parameter that makes it what it is: `/phone-numbers/{phoneNumberId}#operation=restore`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from maskline.model.service import Operation, Service, Shape

VERSION = "3.1.0"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEME = "SigV4"
LIMITS = {"integer": ("int32", 2**31), "long": ("int64", 2**63)}
REQUEST_ID = {"x-amzn-RequestId": {"$ref": "#/components/headers/x-amzn-RequestId"}}

Document = dict[str, Any]
Common = Mapping[int, Iterable[str]]


def document(services: Iterable[Service], info: Mapping[str, Any], common: Common) -> Document:
    """The document of all operations of the services, whose names must differ.

    `info` is OpenAPI's own; `common` are exceptions that any operation may answer with, beside
    those that it lists, by status. The schemas of the first service have its own names for
    them, those of another begin with that service's name.
    """
    first, *others = services
    schemas = {first: Schemas("")} | {each: Schemas(each.name.capitalize()) for each in others}
    operations = [(service, each) for service in schemas for each in service.operations.values()]
    shared = Counter((each.method, each.uri) for _, each in operations)
    paths: dict[str, Document] = {}
    for service, each in operations:
        key = path_key(each, shared[each.method, each.uri] > 1)
        told = described(service, each, schemas[service], common)
        paths.setdefault(key, {})[each.method.lower()] = told
    return {
        "openapi": VERSION,
        "jsonSchemaDialect": DIALECT,
        "info": dict(info),
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{SCHEME: []}],
        "tags": [tag(service) for service in schemas],
        "paths": paths,
        "components": components(schemas, common),
    }


def path_key(operation: Operation, shared: bool) -> str:
    if not shared or not operation.query:
        return operation.uri
    return f"{operation.uri}#{'&'.join(f'{k}={v}' for k, v in operation.query.items())}"


def tag(service: Service) -> Document:
    return {"name": service.name, "description": service.documentation}


def described(
    service: Service, operation: Operation, schemas: "Schemas", common: Common
) -> Document:
    found: Document = {
        "operationId": operation.name,
        "tags": [service.name],
        "description": operation.documentation,
        "parameters": [*fixed_parameters(operation), *parameters(operation, schemas)],
        "responses": responses(operation, schemas, common),
    }
    if operation.deprecated:
        found["deprecated"] = True
    if body := request_body(operation, schemas):
        found["requestBody"] = body
    return found


def fixed_parameters(operation: Operation) -> Iterator[Document]:
    for name, value in operation.query.items():
        yield {
            "name": name,
            "in": "query",
            "required": True,
            "description": "Tells this operation from others of the same path.",
            "schema": {"type": "string", "const": value},
        }


def parameters(operation: Operation, schemas: "Schemas") -> Iterator[Document]:
    places = {"uri": "path", "querystring": "query", "header": "header"}
    for name, member in members(operation.input):
        if member.location in places:
            yield {
                "name": member.location_name or name,
                "in": places[member.location],
                "required": is_required(operation.input, name),
                "description": member.documentation,
                "schema": schemas.schema(member, closed=True),
            }


def request_body(operation: Operation, schemas: "Schemas") -> Document | None:
    inside = [name for name, member in members(operation.input) if member.location is None]
    if not inside or operation.input is None:
        return None
    return {
        "required": any(is_required(operation.input, name) for name in inside),
        "content": json_content(schemas.structure(operation.input, closed=True)),
    }


def responses(operation: Operation, schemas: "Schemas", common: Common) -> Document:
    success: Document = {"description": "Done.", "headers": REQUEST_ID}
    if operation.output is not None and operation.status != 204:
        success["content"] = json_content(schemas.structure(operation.output, closed=False))
    found = {str(operation.status): success}
    for status, listed in sorted(errors_of(operation, common).items()):
        found[str(status)] = {"$ref": f"#/components/responses/{failure_name(status, listed)}"}
    return found


def errors_of(operation: Operation, common: Common) -> dict[int, list[str]]:
    """The exceptions that the operation itself lists, by status; none for one of the common."""
    found: dict[int, list[str]] = {status: [] for status in common}
    for name, status in sorted(operation.error_statuses.items()):
        found.setdefault(status, []).append(name)
    return found


def failure_name(status: int, listed: list[str]) -> str:
    return "-".join([str(status), *(name.removesuffix("Exception") for name in listed)])


def failures(operations: Iterable[Operation], common: Common) -> Document:
    """The answers that are errors, which most operations share."""
    found = {}
    for operation in operations:
        for status, listed in errors_of(operation, common).items():
            names = [*dict.fromkeys([*listed, *common.get(status, ())])]
            found[failure_name(status, listed)] = failure(names)
    return dict(sorted(found.items()))


def failure(names: list[str]) -> Document:
    kind = {"schema": {"type": "string", "enum": names}, "description": "What it is."}
    return {
        "description": f"{', '.join(names)}.",
        "headers": {**REQUEST_ID, "x-amzn-ErrorType": kind},
        "content": json_content({"$ref": "#/components/schemas/Error"}),
    }


def json_content(schema: Document) -> Document:
    return {"application/json": {"schema": schema}}


def components(schemas: "dict[Service, Schemas]", common: Common) -> Document:
    named: Document = {"Error": error_schema()}
    for service, each in schemas.items():
        named |= each.named(service.operations.values())
    operations = [each for service in schemas for each in service.operations.values()]
    return {
        "responses": failures(operations, common),
        "schemas": dict(sorted(named.items())),
        "headers": {
            "x-amzn-RequestId": {
                "description": "The id of the request, as in the log.",
                "schema": {"type": "string", "format": "uuid"},
            }
        },
        "securitySchemes": {SCHEME: security_scheme()},
    }


def gather(shape: Shape | None, found: dict[str, Shape]) -> None:
    """The shapes below a message, by their names."""
    for inner in inner_shapes(shape):
        if inner.name not in found:
            found[inner.name] = inner
            gather(inner, found)


def inner_shapes(shape: Shape | None) -> list[Shape]:
    if shape is None:
        return []
    inner = [*shape.members.values(), shape.member, shape.key, shape.value]
    return [each for each in inner if each is not None]


def error_schema() -> Document:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "Why a request was refused. `__type` is the error's name, as in the header.",
        "required": ["__type", "Code", "Message"],
        "properties": {"__type": text, "Code": text, "Message": text},
    }


def security_scheme() -> Document:
    return {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "x-amazon-apigateway-authtype": "awsSigv4",
        "description": "AWS Signature Version 4 with an access key of this server, for the service"
        " `chime` in any region.",
    }


class Schemas:
    """The schemas of a service's shapes, whose names begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def named(self, operations: Iterable[Operation]) -> Document:
        """The schemas of all shapes that the operations' messages hold, by their names."""
        asked: dict[str, Shape] = {}
        answered: dict[str, Shape] = {}
        for operation in operations:
            gather(operation.input, asked)
            gather(operation.output, answered)
        return {
            self._prefix + name: self.schema(shape, closed=name in asked)
            for name, shape in {**asked, **answered}.items()
        }

    def structure(self, shape: Shape, closed: bool) -> Document:
        """A structure's members that stand in a body. A closed one has no others."""
        inside = {name: each for name, each in shape.members.items() if each.location is None}
        found: Document = {
            "type": "object",
            "properties": {
                each.location_name or name: self.member(each) for name, each in inside.items()
            },
        }
        if required := [name for name in shape.required if name in inside]:
            found["required"] = required
        if closed:
            found["additionalProperties"] = False
        return found

    def member(self, shape: Shape) -> Document:
        found: Document = {"$ref": f"#/components/schemas/{self._prefix}{shape.name}"}
        return found | ({"description": shape.documentation} if shape.documentation else {})

    def schema(self, shape: Shape, closed: bool) -> Document:
        found = self.typed(shape, closed)
        if shape.enum:
            found["enum"] = list(shape.enum)
        if shape.pattern is not None:
            found["pattern"] = whole(shape.pattern)
        if shape.sensitive:
            found["x-sensitive"] = True
        return found

    def typed(self, shape: Shape, closed: bool) -> Document:
        match shape.type:
            case "structure":
                return self.structure(shape, closed)
            case "list":
                assert shape.member is not None
                return {"type": "array", "items": self.member(shape.member)} | bounds(
                    shape, "Items"
                )
            case "map":
                assert shape.value is not None
                return {"type": "object", "additionalProperties": self.member(shape.value)}
            case "timestamp":
                return {"type": "string", "format": "date-time"}
            case "integer" | "long":
                return number(shape)
            case "boolean" | "float" | "double":
                return {"type": "boolean" if shape.type == "boolean" else "number"}
        return {"type": "string"} | bounds(shape, "Length")


def bounds(shape: Shape, of: str) -> Document:
    found = {f"min{of}": shape.min, f"max{of}": shape.max}
    return {name: value for name, value in found.items() if value is not None}


def number(shape: Shape) -> Document:
    form, limit = LIMITS[shape.type]
    least = -limit if shape.min is None else shape.min
    most = limit - 1 if shape.max is None else shape.max
    return {"type": "integer", "format": form, "minimum": least, "maximum": most}


def whole(pattern: str) -> str:
    """AWS's patterns are for whole texts, those of JSON Schema for any part of one."""
    return pattern if pattern.startswith("^") and pattern.endswith("$") else f"^(?:{pattern})$"


def members(shape: Shape | None) -> Iterable[tuple[str, Shape]]:
    return shape.members.items() if shape else ()


def is_required(shape: Shape | None, name: str) -> bool:
    return shape is not None and name in shape.required
