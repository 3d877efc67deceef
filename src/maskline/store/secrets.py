"""Secrets at rest: access-key secrets are stored sealed under a key that lies in a file."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class Cipher:
    """Seals text with AES-256-GCM.

    What a secret belongs to (its access key's id) is authenticated with it, so that a sealed
    secret cannot be moved to another row.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, secret: str, owner: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, secret.encode(), owner.encode())

    def unseal(self, sealed: bytes, owner: str) -> str:
        """The secret; raises cryptography's InvalidTag when key, owner or bytes are not right."""
        nonce, sealed = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return self._aead.decrypt(nonce, sealed, owner.encode()).decode()


def open_cipher(key_file: Path) -> Cipher:
    """The cipher of the key in a file, which is made on first use, readable by its owner only."""
    try:
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Cipher(read_key(key_file))
    key = os.urandom(KEY_BYTES)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return Cipher(key)


def read_key(key_file: Path) -> bytes:
    key = key_file.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{key_file} does not hold a key of {KEY_BYTES} bytes")
    return key
