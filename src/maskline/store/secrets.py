"""What is stored or given out sealed: the secrets of access keys, the positions in lists."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES = 64


class NotSealed(Exception):
    """The bytes were not sealed under this key for this purpose."""


class Cipher:
    """Seals text with AES-SIV (RFC 5297), which needs no nonce that could ever be repeated.

    What a text is for (an access key's id, say) is authenticated with it, so that what was sealed
    for one purpose cannot be used for another.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESSIV(key)

    def seal(self, text: str, purpose: str) -> bytes:
        return self._aead.encrypt(text.encode(), [purpose.encode()])

    def unseal(self, sealed: bytes, purpose: str) -> str:
        """The text; raises NotSealed."""
        try:
            return self._aead.decrypt(sealed, [purpose.encode()]).decode()
        except InvalidTag:
            raise NotSealed from None


def open_cipher(key_file: Path) -> Cipher:
    """The cipher of the key in a file; raises OSError, or ValueError when it holds no key."""
    key = key_file.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{key_file} does not hold a key of {KEY_BYTES} bytes")
    return Cipher(key)


def key_proof(key_file: Path) -> bytes:
    """What tells the key of this file from others, and nothing about it; raises as `open_cipher`"""
    return open_cipher(key_file).seal("", "key_proof")


def make_key_file(key_file: Path, key: bytes | None = None) -> None:
    """Writes a key, a new one if none is given, for its owner only; raises FileExistsError."""
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key or os.urandom(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
