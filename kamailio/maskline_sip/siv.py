"""Deterministic authenticated encryption: the SIV composition (Rogaway and Shrimpton 2006, as in
RFC 5297) of a pseudo-random function, keyed BLAKE2b (RFC 7693), and a stream, SHAKE256 (FIPS 202).

The tag of a text is its keyed hash, and the start of the stream that hides it. So equal texts are
sealed alike, on purpose; nothing else can be seen of them but their length.
"""

from __future__ import annotations

import hashlib
import hmac

TAG_BYTES = 16
KEY_BYTES = 64


class Forged(ValueError):
    """Not sealed by this key, or changed since."""


class Siv:
    """One key, for one purpose: what was sealed for another one does not open. `purpose` has at
    most 13 bytes."""

    def __init__(self, key: bytes, purpose: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._tag_key = _derived(key, purpose + b"tag")
        self._stream_key = _derived(key, purpose + b"xof")

    def seal(self, text: bytes) -> bytes:
        tag = hashlib.blake2b(text, key=self._tag_key, digest_size=TAG_BYTES).digest()
        return tag + self._hidden(tag, text)

    def open(self, sealed: bytes) -> bytes:
        """The text; raises Forged."""
        given = sealed[:TAG_BYTES]
        text = self._hidden(given, sealed[TAG_BYTES:])
        tag = hashlib.blake2b(text, key=self._tag_key, digest_size=TAG_BYTES).digest()
        if not hmac.compare_digest(given, tag):
            raise Forged
        return text

    def _hidden(self, tag: bytes, text: bytes) -> bytes:
        """The text with the stream of this tag over it, or under it again."""
        length = len(text)
        stream = hashlib.shake_256(self._stream_key + tag).digest(length)
        mixed = int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(length, "big")


def _derived(key: bytes, person: bytes) -> bytes:
    return hashlib.blake2b(key=key, digest_size=32, person=person).digest()
