"""How a callback proves where it comes from, in the ways that providers have for it."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

PARTS = re.compile(r"\{(body|timestamp|nonce|url)\}")
WHSEC = "whsec_"
# The headers in which proofs stand, where the rules do not tell.
PLACES = {
    "standard-webhooks": "webhook-signature", "jwt-hs256": "authorization", "basic": "authorization"
}  # fmt: skip
CHALLENGES = {"basic": 'Basic realm="callbacks"'}
MOST_PROOFS = 10  # in one header: by the keys in use


class SignatureRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which proof there is, and where it stands.

    hmac-sha256: `header` holds the code of `signed`, in which `{body}`, `{timestamp}`, `{nonce}`
    and `{url}` stand for what was sent. standard-webhooks: as standardwebhooks.com has it.
    ed25519: as hmac-sha256, the secret being the provider's public key in base64. jwt-hs256: a
    JSON Web Token (RFC 7519) in Authorization, with the hash of the body in it. basic: user and
    password, a secret being both with a colon between.
    """

    kind: Literal["hmac-sha256", "standard-webhooks", "ed25519", "jwt-hs256", "basic"]
    header: str = "x-signature"
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    signed: str = "{body}"
    timestamp_header: str | None = None
    nonce_header: str | None = None
    tolerance_seconds: int = 300


class Signed(Struct, frozen=True):
    """What a proof is about. Header names are in lower case, `now` is in seconds."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    now: float


def fault_of_secret(rules: SignatureRules, secret: str) -> str:
    """Why nothing can ever be proved by a secret; empty where something can."""
    try:
        if rules.kind == "ed25519":
            ed25519_key(secret)
        elif rules.kind == "standard-webhooks":
            webhook_key(secret)
    except ValueError:
        key = "public key of 32 bytes" if rules.kind == "ed25519" else "key"
        return f"is no {key} in base64"
    return "is not user:password" if rules.kind == "basic" and ":" not in secret else ""


def bears_proof(rules: SignatureRules, headers: Mapping[str, str]) -> bool:
    """Whether there is anything that could be a proof, whatever it proves."""
    return bool(headers.get(PLACES.get(rules.kind, rules.header.lower())))


def challenge_of(rules: SignatureRules) -> str:
    """What asks for the proof; empty where nobody waits to be asked."""
    return CHALLENGES.get(rules.kind, "")


def proves_query(rules: SignatureRules) -> bool:
    """Whether a proof speaks for what stands in the URL; a password does for all it comes with."""
    signs_url = rules.kind in ("hmac-sha256", "ed25519") and "{url}" in rules.signed
    return signs_url or rules.kind == "basic"


def is_genuine(rules: SignatureRules, secrets: Sequence[str], given: Signed) -> bool:
    """Whether one of the secrets proves what was given; any other input is not genuine."""
    found = [proves(rules, secret, given) for secret in secrets]  # all: the time tells nothing
    return any(found)


def proves(rules: SignatureRules, secret: str, given: Signed) -> bool:
    try:
        return CHECKS[rules.kind](rules, secret, given)
    except (ValueError, KeyError, TypeError, RecursionError):  # something that nobody signed
        return False


def signature_headers(
    rules: SignatureRules, secret: str, message_id: str, given: Signed
) -> dict[str, str]:
    """The headers that sign a request of ours (hmac-sha256 and standard-webhooks)."""
    stamp = str(int(given.now))
    if rules.kind == "standard-webhooks":
        code = hmac_of(webhook_key(secret), standard_content(message_id, stamp, given.body))
        proof = "v1," + base64.b64encode(code).decode()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": proof,
        }
    headers = {rules.timestamp_header: stamp} if rules.timestamp_header else {}
    if rules.nonce_header:
        headers[rules.nonce_header] = message_id
    told = Signed(given.url, {name.lower(): text for name, text in headers.items()}, given.body, 0)
    code = hmac_of(secret.encode(), content(rules, told))
    return {**headers, rules.header: rules.prefix + written(rules, code)}


# -- each kind


def hmac_is_right(rules: SignatureRules, secret: str, given: Signed) -> bool:
    if not is_recent(rules, given):
        return False
    proof = given.headers.get(rules.header.lower(), "").removeprefix(rules.prefix)
    right = written(rules, hmac_of(secret.encode(), content(rules, given)))
    if rules.encoding == "hex":
        proof = proof.lower()
    return hmac.compare_digest(proof.encode(), right.encode())


def standard_is_right(rules: SignatureRules, secret: str, given: Signed) -> bool:
    name, stamp = given.headers["webhook-id"], given.headers["webhook-timestamp"]
    if not within(stamp, rules.tolerance_seconds, given.now):
        return False
    code = hmac_of(webhook_key(secret), standard_content(name, stamp, given.body))
    right = "v1," + base64.b64encode(code).decode()
    proofs = given.headers["webhook-signature"].split(" ", MOST_PROOFS)
    found = [hmac.compare_digest(proof.encode(), right.encode()) for proof in proofs]
    return any(found)


def ed25519_is_right(rules: SignatureRules, secret: str, given: Signed) -> bool:
    if not is_recent(rules, given):
        return False
    key = ed25519_key(secret)
    proof = base64.b64decode(given.headers.get(rules.header.lower(), ""), validate=True)
    try:
        key.verify(proof, content(rules, given))
    except InvalidSignature:
        return False
    return True


def jwt_is_right(rules: SignatureRules, secret: str, given: Signed) -> bool:
    kind, _, token = given.headers.get("authorization", "").partition(" ")
    head, claims, proof = token.split(".")
    right = hmac_of(secret.encode(), f"{head}.{claims}".encode())
    signed = hmac.compare_digest(from_base64url(proof), right)
    if kind.lower() != "bearer" or not signed or read_json(head).get("alg") != "HS256":
        return False
    told = read_json(claims)
    if not within(str(told.get("iat", "")), rules.tolerance_seconds, given.now):
        return False
    digest = hashlib.sha256(given.body).hexdigest()
    return hmac.compare_digest(str(told.get("payload_hash", "")).encode(), digest.encode())


def basic_is_right(_: SignatureRules, secret: str, given: Signed) -> bool:
    kind, proof = given.headers.get("authorization", "").partition(" ")[::2]
    right = base64.b64encode(secret.encode())
    return hmac.compare_digest(proof.strip().encode(), right) and kind.lower() == "basic"


CHECKS: dict[str, Callable[[SignatureRules, str, Signed], bool]] = {
    "hmac-sha256": hmac_is_right,
    "standard-webhooks": standard_is_right,
    "ed25519": ed25519_is_right,
    "jwt-hs256": jwt_is_right,
    "basic": basic_is_right,
}


# -- what they share


def is_recent(rules: SignatureRules, given: Signed) -> bool:
    if not rules.timestamp_header:
        return True
    stamp = given.headers.get(rules.timestamp_header.lower(), "")
    return within(stamp, rules.tolerance_seconds, given.now)


def within(stamp: str, tolerance: int, now: float) -> bool:
    """Whether a time in seconds since the epoch is so near to now."""
    return (
        stamp.isascii()
        and stamp.isdigit()
        and len(stamp) < 12
        and (abs(now - int(stamp)) <= tolerance)
    )


def content(rules: SignatureRules, given: Signed) -> bytes:
    """The bytes that are signed."""
    stamp = given.headers.get((rules.timestamp_header or "").lower(), "")
    nonce = given.headers.get((rules.nonce_header or "").lower(), "")
    parts = {"timestamp": stamp.encode(), "nonce": nonce.encode(), "url": given.url.encode()}
    parts["body"] = given.body
    pieces = PARTS.split(rules.signed)
    return b"".join(
        parts[piece] if place % 2 else piece.encode() for place, piece in enumerate(pieces)
    )


def standard_content(name: str, stamp: str, body: bytes) -> bytes:
    return f"{name}.{stamp}.".encode() + body


def ed25519_key(secret: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(secret, validate=True))


def webhook_key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(WHSEC))


def written(rules: SignatureRules, code: bytes) -> str:
    return code.hex() if rules.encoding == "hex" else base64.b64encode(code).decode()


def hmac_of(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def from_base64url(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("no base64") from None


def read_json(text: str) -> dict[str, object]:
    found = json.loads(from_base64url(text))
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found
