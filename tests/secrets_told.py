"""The ways in which a secret could stand in a message, and the search for them."""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

LEAST_BASE32 = 8  # characters; fewer turn up in our own tokens, which are base32 in small letters
BY_CHANCE = re.compile(rb"[a-z2-7]{1,7}")


def encodings(secret: bytes) -> list[bytes]:
    """The ways in which a secret could stand in a message: plain, reversed, hex, percent, base32
    and base64 of either alphabet."""
    return [*in_any_letters(secret), *in_base64(secret)]


def in_any_letters(secret: bytes) -> list[bytes]:
    """Those in which capital letters mean the same as small ones, in both."""
    texts = [
        secret,
        secret[::-1],
        secret.hex().encode(),
        "".join(f"%{byte:02x}" for byte in secret).encode(),
        quote(secret.decode(), safe="").encode(),
        *(text for text in aligned(base64.b32encode, 5, secret) if len(text) >= LEAST_BASE32),
    ]
    variants = dict.fromkeys([*texts, *(t.upper() for t in texts), *(t.lower() for t in texts)])
    return [text for text in variants if not BY_CHANCE.fullmatch(text)]


def in_base64(secret: bytes) -> list[bytes]:
    texts = [*aligned(base64.b64encode, 6, secret), *aligned(base64.urlsafe_b64encode, 6, secret)]
    return list(dict.fromkeys(texts))


def aligned(encode: Callable[[bytes], bytes], bits: int, secret: bytes) -> list[bytes]:
    """What an encoding of so many bits a character makes of a secret wherever in a text it begins:
    the characters that are the secret's alone."""
    found = []
    for before in range(math.lcm(8, bits) // 8):
        text = encode(b"\0" * before + secret + b"\0" * 8)
        found.append(text[-(-before * 8 // bits) : (before + len(secret)) * 8 // bits])
    return found


def hashes(secret: bytes) -> list[bytes]:
    """What a hash without a key would make of it: with it, a guess could be checked."""
    found = []
    for make in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.blake2b):
        digest = make(secret).digest()[:12]
        found += [digest.hex().encode(), base64.b64encode(digest)]
    return [*found, base64.b32encode(hashlib.blake2b(secret, digest_size=15).digest()).lower()]


def search_for(secrets: Iterable[bytes]) -> re.Pattern[bytes]:
    """Finds any of the secrets in any encoding."""
    return re.compile(b"|".join(re.escape(text) for s in secrets for text in encodings(s)))


def lines_telling(log: str, secrets: Iterable[bytes]) -> list[bytes]:
    """The lines of a log in which a secret stands."""
    pattern = search_for(secrets)
    return [line for line in log.encode().splitlines() if pattern.search(line)]


class Search:
    """A quick search of many messages for the same few secrets. `places` counts the lines looked
    at, once for each text looked for."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        # Base64 in small letters is no base64 of anything, but turns up in random small letters.
        secrets = list(secrets)
        self._exact = sorted({text for one in secrets for text in in_base64(one)})
        self._lower = sorted({text.lower() for one in secrets for text in in_any_letters(one)})
        self.places = 0

    def finds(self, message: bytes, more: Iterable[bytes] = ()) -> list[bytes]:
        lowered = message.lower()
        self.places += (message.count(b"\n") + 1) * (len(self._exact) + len(self._lower))
        found = [text for text in self._exact if text in message]
        found += [text for text in self._lower if text in lowered]
        return found + [text for text in more if text in message]
