"""Signing requests: AWS Signature Version 4, the client's side."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

SIGNING_NAME = "chime"
ALGORITHM = "AWS4-HMAC-SHA256"
SIGNED = ("content-type", "host", "x-amz-date", "x-amz-security-token")


class AccessKey(NamedTuple):
    """What requests are signed with, and where it was found (for hints)."""

    id: str
    secret: str
    token: str | None = None
    source: str = ""


def sign(
    key: AccessKey, region: str, method: str, target: str, headers: dict[str, str], body: bytes
) -> dict[str, str]:
    """The headers of a request with the signature's headers added.

    `target` is the path and query as they go on the wire; `headers` must name the host.
    Source: the AWS documentation of Signature Version 4.
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "X-Amz-Date": now}
    if key.token:
        signed["X-Amz-Security-Token"] = key.token
    scope = f"{now[:8]}/{region}/{SIGNING_NAME}/aws4_request"
    canonical, names = _canonical_request(method, target, signed, body)
    to_sign = "\n".join([ALGORITHM, now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = _mac(_signing_key(key.secret, now[:8], region), to_sign).hex()
    signed["Authorization"] = (
        f"{ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


def _canonical_request(
    method: str, target: str, headers: dict[str, str], body: bytes
) -> tuple[str, str]:
    """The request in the form that is hashed, and the names of the headers it covers."""
    path, _, query = target.partition("?")
    lowered = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    covered = [name for name in sorted(lowered) if name in SIGNED]
    lines = [
        method,
        _canonical_path(path),
        "&".join(sorted(query.split("&"), key=lambda pair: pair.split("="))),
        *(f"{name}:{lowered[name]}" for name in covered),
        "",
        ";".join(covered),
        hashlib.sha256(body).hexdigest(),
    ]
    return "\n".join(lines), ";".join(covered)


def _canonical_path(path: str) -> str:
    """The path without `.`, `..` and empty segments, encoded a second time."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part and part != ".":
            kept.append(part)
    closing = "/" if path.endswith("/") and kept else ""
    return quote(f"/{'/'.join(kept)}{closing}", safe="/~")


def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, SIGNING_NAME, "aws4_request"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
