"""The ways in which a secret could stand in a message, and the search for them."""

import base64
import hashlib
import re
from collections.abc import Iterable
from urllib.parse import quote


def encodings(secret: bytes) -> list[bytes]:
    """The ways in which a secret could stand in a message: plain, hex, percent, base64 at each
    of its three alignments, reversed."""
    last = [(shift + len(secret)) * 8 // 6 for shift in range(3)]
    first = [-(-shift * 8 // 6) for shift in range(3)]
    shifted = [base64.b64encode(b"\0" * shift + secret + b"\0\0") for shift in range(3)]
    return [
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        "".join(f"%{byte:02X}" for byte in secret).encode(),
        quote(secret.decode(), safe="").encode(),
        secret[::-1],
        *(shifted[shift][first[shift] : last[shift]] for shift in range(3)),
    ]


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
        all_texts = [encodings(secret) for secret in secrets]
        self._exact = sorted({text for texts in all_texts for text in texts[-3:]})
        self._lower = sorted({text.lower() for texts in all_texts for text in texts[:-3]})
        self.places = 0

    def finds(self, message: bytes, more: Iterable[bytes] = ()) -> list[bytes]:
        lowered = message.lower()
        self.places += (message.count(b"\n") + 1) * (len(self._exact) + len(self._lower))
        found = [text for text in self._exact if text in message]
        found += [text for text in self._lower if text in lowered]
        return found + [text for text in more if text in message]
