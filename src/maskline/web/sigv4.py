"""AWS Signature Version 4, the server's side: who a request says it is from, and whether it is.

Three steps, so that looking up the key stays with the caller: `read_signature` tells whose key is
needed, `check_time` whether it is worth looking up, `verify` holds the request against its secret.
The first two need no body. None knows a clock or does any I/O.

Accepted are the Authorization header and the presigned URL, for the service `chime` in any region.
The hash of the body is always worked out here, never believed. Source: the AWS documentation of
Signature Version 4, and how AWS's own clients sign.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from maskline.web.canonical import SIGNATURE, canonical_request, parameters
from maskline.web.faults import (
    IncompleteSignature,
    InvalidSignature,
    MissingSignature,
    RequestExpired,
    UnknownClient,
)

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "chime"
TERMINATOR = "aws4_request"
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
TIME_LENGTH = len("20200415T161010Z")
MAX_SKEW = 300  # seconds
LONGEST_EXPIRY = 7 * 86_400  # seconds
LONGEST_KEPT = 1024  # bytes of an Authorization header whose claim is kept
LONGEST_CREDENTIAL = 255
CREDENTIAL_PARTS = 5
PARTS = {"Credential", "SignedHeaders"}  # of the Authorization header, before its signature

UNREADABLE = f"The Authorization header is not one of {ALGORITHM}"
NEEDED = "The signature needs Credential, SignedHeaders and Signature"
SCOPE = f"The credential scope must be <day of X-Amz-Date>/<region>/{SERVICE}/{TERMINATOR}"

PREFIX = b"x-amz-"
AUTHORIZATION = b"authorization"
DATE = b"x-amz-date"
TOKEN = b"x-amz-security-token"
BODY_DIGEST = b"x-amz-content-sha256"
EMPTY = hashlib.sha256().hexdigest().encode()  # of no body


class SignedRequest(NamedTuple):
    """A request as it came on the wire: path and query raw, header names in lower case."""

    method: str
    path: bytes
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes


class Claim(NamedTuple):
    """Who a request says it is from, and what it says is signed: the same in all the requests that
    a client sends in a day. `names` are those in `signed_headers`."""

    access_key_id: str
    date: str
    region: str
    scope: str
    signed_headers: bytes
    names: tuple[bytes, ...]


class Signature(NamedTuple):
    """What a request says about its signature. `expires` is in seconds, for a presigned URL."""

    claim: Claim
    time: str
    value: bytes
    body_digest: bytes | None
    expires: int | None


def read_signature(request: SignedRequest) -> Signature:
    """The signature that the request carries; raises a Fault when it is none to be checked."""
    query = signing_parameters(request.query)
    presigned, header = SIGNATURE in query, request.headers.get(AUTHORIZATION)
    if presigned and header is not None:
        raise IncompleteSignature("A request is signed by its headers or by its URL, not by both")
    if TOKEN in query or TOKEN in request.headers:
        raise UnknownClient("The security token is not one that was given out here")
    if presigned:
        return presigned_signature(query)
    if header is None:
        raise MissingSignature("The request is not signed: sign it with Signature Version 4")
    return header_signature(header, request.headers)


def signing_parameters(query: bytes) -> dict[bytes, bytes]:
    """The X-Amz-* parameters of a query by their names in lower case."""
    found: dict[bytes, bytes] = {}
    if not query or PREFIX not in query.lower():
        return found
    for name, value in parameters(query):
        lowered = name.lower()
        if lowered.startswith(PREFIX):
            if lowered in found:
                raise IncompleteSignature("A signing parameter stands in the query twice")
            found[lowered] = value
    return found


def header_signature(header: bytes, headers: Mapping[bytes, bytes]) -> Signature:
    """The signature stands last, as all clients write it."""
    before, _, value = header.partition(b"Signature=")
    if b"," in value:  # a second header, say
        raise IncompleteSignature(UNREADABLE)
    claim = claim_in(before) if len(before) <= LONGEST_KEPT else read_claim(before)
    time, digest = headers.get(DATE, b""), headers.get(BODY_DIGEST)
    return signature_of(claim, time, value.strip(), digest, None)


@lru_cache(maxsize=1024)
def claim_in(header: bytes) -> Claim:
    """As `read_claim`, which it is spared in all but the first of a client's requests of a day."""
    return read_claim(header)


def read_claim(header: bytes) -> Claim:
    """What an Authorization header claims; it comes without its signature."""
    algorithm, _, rest = text(header).partition(" ")
    *parts, end = (part.strip() for part in rest.split(","))
    pairs = [part.partition("=") for part in parts]
    fields = {name: value for name, _, value in pairs}
    if algorithm != ALGORITHM or end or len(pairs) != len(fields) or fields.keys() != PARTS:
        raise IncompleteSignature(UNREADABLE)
    return claim_of(fields["Credential"], fields["SignedHeaders"])


def presigned_signature(query: Mapping[bytes, bytes]) -> Signature:
    fields = {
        name: text(query.get(PREFIX + name.lower().encode(), b""))
        for name in ("Algorithm", "Credential", "SignedHeaders", "Signature", "Expires")
    }
    if fields["Algorithm"] != ALGORITHM:
        raise IncompleteSignature(f"X-Amz-Algorithm must be {ALGORITHM}")
    seconds = fields["Expires"]
    if not (seconds.isdecimal() and len(seconds) <= 6 and 1 <= int(seconds) <= LONGEST_EXPIRY):
        raise IncompleteSignature(f"X-Amz-Expires must be from 1 to {LONGEST_EXPIRY}")
    claim = claim_of(fields["Credential"], fields["SignedHeaders"])
    value = fields["Signature"].encode()
    return signature_of(claim, query.get(DATE, b""), value, query.get(BODY_DIGEST), int(seconds))


def claim_of(credential: str, signed_headers: str) -> Claim:
    parts = credential.split("/")
    names = tuple(signed_headers.encode().split(b";"))
    if len(parts) != CREDENTIAL_PARTS or not all(parts) or len(credential) > LONGEST_CREDENTIAL:
        raise IncompleteSignature(NEEDED)
    if b"host" not in names:
        raise IncompleteSignature("The signature must cover the Host header")
    if len(set(names)) < len(names):  # what is hashed would be far larger than what was sent
        raise IncompleteSignature("SignedHeaders names a header twice")
    access_key_id, date, region, service, terminator = parts
    if service != SERVICE or terminator != TERMINATOR:
        raise InvalidSignature(SCOPE)
    scope = f"{date}/{region}/{service}/{terminator}"
    return Claim(access_key_id, date, region, scope, signed_headers.encode(), names)


def signature_of(
    claim: Claim, time: bytes, value: bytes, body_digest: bytes | None, expires: int | None
) -> Signature:
    if not value:
        raise IncompleteSignature(NEEDED)
    moment = text(time)
    if moment[:8] != claim.date:
        raise InvalidSignature(SCOPE)
    return Signature(claim, moment, value, body_digest, expires)


def text(field: bytes) -> str:
    if not field.isascii():
        raise IncompleteSignature("The signature holds bytes that are not ASCII")
    return field.decode()


def verify(request: SignedRequest, signature: Signature, secret: str) -> None:
    """Raises a Fault unless the request was signed with `secret`."""
    claim, body = signature.claim, request.body
    digest = hashlib.sha256(body).hexdigest().encode() if body else EMPTY
    declared = request.headers.get(BODY_DIGEST, digest), signature.body_digest or digest
    if declared != (digest, digest):
        raise InvalidSignature("X-Amz-Content-Sha256 is not the hash of the body")
    canonical = hashlib.sha256(canonical_of(request, claim, digest)).hexdigest()
    to_sign = f"{ALGORITHM}\n{signature.time}\n{claim.scope}\n{canonical}"
    key = signing_key(secret, claim.date, claim.region)
    if not hmac.compare_digest(mac(key, to_sign).hex().encode(), signature.value):
        raise InvalidSignature("The signature is not the one this request has with this key")


def check_time(signature: Signature, now: float) -> None:
    """Raises a Fault unless the signature is of this time. `now` is in seconds since the epoch."""
    at = seconds_of(signature.time)
    if at - now > MAX_SKEW:
        raise InvalidSignature(f"The signature is from the future: {clocks(signature, now)}")
    if signature.expires is not None:
        if now > at + signature.expires:
            raise RequestExpired(f"The presigned URL of {signature.time} has expired")
    elif now - at > MAX_SKEW:
        raise InvalidSignature(f"The signature has expired: {clocks(signature, now)}")


def clocks(signature: Signature, now: float) -> str:
    """What the two clocks say, for who has to set one."""
    here = datetime.fromtimestamp(now, UTC).strftime(TIME_FORMAT)
    return f"it is from {signature.time}, and the server's clock says {here}"


@lru_cache(maxsize=1024)
def seconds_of(time: str) -> float:
    try:
        if len(time) != TIME_LENGTH:  # strptime would take fewer digits
            raise ValueError
        return datetime.strptime(time, TIME_FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise IncompleteSignature("X-Amz-Date must look like 20200415T161010Z") from None


def canonical_of(request: SignedRequest, claim: Claim, digest: bytes) -> bytes:
    headers = request.headers
    try:
        covered = [(name, headers[name]) for name in claim.names]
    except KeyError:
        raise InvalidSignature("The signature covers a header that did not arrive") from None
    return canonical_request(
        request.method, request.path, request.query, covered, claim.signed_headers, digest
    )


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, SERVICE, TERMINATOR):
        key = mac(key, part)
    return key


def mac(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")
