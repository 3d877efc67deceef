"""The canonical form of a request: the bytes whose hash Signature Version 4 signs.

Everything is bytes as they came on the wire, so no encoding can be wrong here. The query is
decoded and encoded again; a client that signs another spelling than the canonical is refused.
Source: the AWS documentation, "Create a signed AWS API request".
"""

import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import quote_from_bytes, unquote_to_bytes

UNRESERVED = "~"  # beside letters, digits, "_", "." and "-", which `quote` never touches
SIGNATURE = b"x-amz-signature"
UNEVEN_PATH = re.compile(rb"//|/\.{1,2}(?:/|$)")
PLAIN_PATH = re.compile(rb"(?:/[A-Za-z0-9_~-]+)+")  # most are: canonical as they are


def canonical_request(
    method: str,
    path: bytes,
    query: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    signed_headers: bytes,
    body_digest: bytes,
) -> bytes:
    return b"\n".join(
        (
            method.encode(),
            canonical_path(path),
            canonical_query(query),
            *[name + b":" + b" ".join(value.split()) for name, value in headers],
            b"",
            signed_headers,
            body_digest,
        )
    )


def canonical_path(path: bytes) -> bytes:
    """The path without empty and dot segments, encoded once more than on the wire."""
    if PLAIN_PATH.fullmatch(path):
        return path
    if UNEVEN_PATH.search(path):
        path = without_detours(path)
    return quote_from_bytes(path or b"/", "/" + UNRESERVED).encode()


def without_detours(path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    last = b"/" if kept and path.endswith(b"/") else b""
    return b"/" + b"/".join(kept) + last


def canonical_query(query: bytes) -> bytes:
    """The parameters in order, encoded in the one right way, without the signature itself."""
    if not query:
        return b""
    pairs = sorted((encoded(name), encoded(value)) for name, value in parameters(query))
    return "&".join(
        f"{name}={value}" for name, value in pairs if name.lower().encode() != SIGNATURE
    ).encode()


def encoded(text: bytes) -> str:
    return quote_from_bytes(text, UNRESERVED)


def parameters(query: bytes) -> list[tuple[bytes, bytes]]:
    """The query's names and values, decoded; a plus is a blank, as forms write it."""
    pairs = (pair.partition(b"=") for pair in query.replace(b"+", b" ").split(b"&"))
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs]


def joined(headers: Collection[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """Headers by name, lower-case as they come; values of a repeated one with commas between."""
    found = dict(headers)
    if len(found) == len(headers):
        return found
    found.clear()
    for name, value in headers:
        found[name] = found[name] + b"," + value.strip() if name in found else value
    return found
