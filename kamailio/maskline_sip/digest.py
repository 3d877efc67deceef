"""Digest authentication of SIP (RFC 3261 22.4, RFC 7616, RFC 8760): answering a carrier's
challenge, and challenging a carrier that calls from no fixed address. Pure: time is an argument.
Texts hold a character for each octet, as `sip` reads them."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import sip

# The strongest first.
HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
SESSION = "-sess"  # of an algorithm: the secret is made of both nonces, too
ALGORITHMS = [f"{name}{session}" for name in HASHES for session in ("", SESSION)]
OFFERED = ("SHA-256", "MD5")  # to callers, of whom hardly any has another
NONCE_SECONDS = 120
REALM = "maskline"
_STAMP = re.compile(r"([0-9]{1,12})-")
LONGEST = 4096  # characters of a header
_PARAMETER = re.compile(
    r"""[\s,;]*([A-Za-z0-9.!%*_+`'~-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)(?![^\s,]))"""
)


@dataclass(frozen=True)
class Account:
    """Who one side is to the other; `realm` is the only one that is answered, None for any."""

    username: str
    password: str
    realm: str | None = None


def parameters(header: str) -> dict[str, str]:
    """The parameters of a challenge or of credentials, names in lower case; empty when it is of
    another scheme. They are read one after the other, up to what is none: to look for one from
    each place on would take a time that grows with the square of the length."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest" or len(rest) > LONGEST:
        return {}
    given, at = {}, 0
    while found := _PARAMETER.match(rest, at):
        name, quoted, plain = found.groups()
        given[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted else plain or ""
        at = found.end()
    return given


def strongest(challenges: Sequence[str], account: Account) -> dict[str, str]:
    """Of the challenges of each realm the one to be answered, the strongest of all first; none
    that we do not understand."""
    found: dict[str, str] = {}
    for algorithm in ALGORITHMS:
        for challenge in challenges:
            given = parameters(challenge)
            if _asks(given, account) and _algorithm(given) == algorithm:
                found.setdefault(given.get("realm", ""), challenge)
    return found


def is_stale(challenge: str) -> bool:
    """Whether it says that our password was right, and its nonce too old (RFC 7616 3.3)."""
    return parameters(challenge).get("stale", "").lower() == "true"


def answer(
    challenge: str,
    account: Account,
    method: str,
    uri: str,
    body: bytes = b"",
    client: str = "",
    count: int = 1,
) -> str:
    """The credentials for a challenge, one of the `strongest`. `client` is the client's nonce, by
    chance when empty; `count` tells how often that of the challenge was answered with it."""
    given = parameters(challenge)
    fields = {
        "username": account.username,
        "realm": given.get("realm", ""),
        "nonce": given["nonce"],
        "uri": uri,
        "algorithm": _algorithm(given),
    }
    client = client or secrets.token_hex(8)
    if given.get("qop"):
        fields |= {"qop": _proven(given), "nc": f"{count:08x}", "cnonce": client}
    elif fields["algorithm"].endswith(SESSION):
        fields["cnonce"] = client
    if "opaque" in given:
        fields["opaque"] = given["opaque"]
    told = response(fields, account.password, method, body)
    return _written({**fields, "response": told})


def _algorithm(challenge: dict[str, str]) -> str:
    """As the RFC writes it; MD5 where none is told, and as it came where it is none of ours."""
    told = challenge.get("algorithm", "MD5")
    return next((name for name in ALGORITHMS if name.lower() == told.lower()), told)


def _proven(challenge: dict[str, str]) -> str:
    """What an answer proves: the request alone, where that is enough, since whoever passes a
    request on may change its body; or the body, too. Empty where neither is enough."""
    wanted = [one.strip().lower() for one in (challenge.get("qop") or "auth").split(",")]
    return next((one for one in ("auth", "auth-int") if one in wanted), "")


def _asks(challenge: dict[str, str], account: Account) -> bool:
    """Whether a challenge is one, its realm the account's, and what is to be proven can be."""
    ours = account.realm in (None, challenge.get("realm", ""))
    return bool(challenge.get("nonce") and ours and _proven(challenge))


def _written(fields: dict[str, str]) -> str:
    return "Digest " + ", ".join(
        f"{name}={text}" if name in ("algorithm", "qop", "nc") else f'{name}="{quoted(text)}"'
        for name, text in fields.items()
    )


def response(fields: dict[str, str], password: str, method: str, body: bytes = b"") -> str:
    """The response to a challenge of an algorithm of ours (RFC 7616 3.4.1), with or without qop.
    `body` is the request's."""
    algorithm = _algorithm(fields)
    digest = HASHES[algorithm.removesuffix(SESSION)]

    def hashed(*parts: str) -> str:
        return digest(":".join(parts).encode("latin-1"))

    secret = hashed(fields["username"], fields["realm"], password)
    if algorithm.endswith(SESSION):
        secret = hashed(secret, fields["nonce"], fields["cnonce"])
    request = [method, fields["uri"]]
    if fields.get("qop") == "auth-int":
        request.append(digest(body))
    middle = [fields["nonce"]]
    if fields.get("qop"):
        middle += [fields["nc"], fields["cnonce"], fields["qop"]]
    return hashed(secret, *middle, hashed(*request))


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


class Guard:
    """Challenges callers and checks their credentials, without memory: a nonce holds the time and
    the address that it was given to, signed. `key` is shared by all nodes."""

    def __init__(self, key: bytes, accounts: dict[str, Account]) -> None:
        self._key = key
        self._accounts = {account.username: (name, account) for name, account in accounts.items()}

    def challenges(self, address: str, now: float, *, stale: bool = False) -> list[str]:
        nonce = self._nonce(address, int(now))
        late = ", stale=true" if stale else ""
        return [
            f'Digest realm="{REALM}", nonce="{nonce}", algorithm={name}, qop="auth"{late}'
            for name in OFFERED
        ]

    def check(self, header: str, method: str, uri: str, address: str, now: float) -> str | None:
        """Whose credentials for a request to `uri` they are, by name; None for nobody's. Raises
        `Stale` for good ones whose nonce is too old."""
        given = parameters(header)
        name, account = self._accounts.get(given.get("username", ""), ("", None))
        needed = ("realm", "nonce", "uri", "nc", "cnonce", "response")
        if account is None or not all(given.get(one) for one in needed):
            return None
        if _algorithm(given) not in OFFERED:
            return None
        if given.get("qop") != "auth" or given["realm"] != REALM or not _for(uri, given["uri"]):
            return None
        stamp = _STAMP.match(given["nonce"])
        if stamp is None or not _same(self._nonce(address, int(stamp[1])), given["nonce"]):
            return None
        wanted = response(given, account.password, method)
        if not _same(wanted, given["response"].lower()):
            return None
        if not 0 <= now - int(stamp[1]) <= NONCE_SECONDS:
            raise Stale
        return name

    def _nonce(self, address: str, stamp: int) -> str:
        signed = hmac.digest(self._key, f"nonce {stamp} {address}".encode(), "sha256").hex()[:32]
        return f"{stamp}-{signed}"


def _for(uri: str, told: str) -> bool:
    """Whether credentials that tell `told` are for a request to `uri` (RFC 7616 3.4.6): who saw
    them must not call another number with them. Only the user is compared, as the number that it
    is: proxies on the way write our host, its port, parameters and the scheme as they like, and
    whatever the host, it is us. Who dials another number on the way answers for it itself."""
    return sip.user(uri) == sip.user(told)


def _same(wanted: str, given: str) -> bool:
    """Whether they are equal, in constant time; `given` may hold any character."""
    return hmac.compare_digest(wanted.encode(), given.encode())


class Stale(ValueError):
    """The right password, for a challenge of long ago."""
