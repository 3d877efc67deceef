"""Pictures of texts, kept until their link expires."""

import hashlib
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from maskline.operations.context import Context

TOKEN_BYTES = 18  # 144 bits: nobody finds a link by trying
NONCE = bytes(12)  # a token is a key, and seals one picture


def new_token() -> str:
    """What a link ends with: letters, digits, dash and underscore."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def keep_picture(
    context: Context, token: str, content_type: str, content: bytes, milliseconds: int
) -> None:
    """Keeps a picture for so long. Whoever has the database alone can neither see nor name it."""
    context.tx.run(
        "insert_picture",
        token_hash=hashed(token),
        content_type=content_type,
        sealed_content=seal(token).encrypt(NONCE, content, None),
        expires_at=context.now + milliseconds,
    )


def find_picture(context: Context, token: str) -> tuple[str, bytes] | None:
    """The content type and the bytes of a picture; None when there is none, or no more."""
    row = context.tx.one("get_picture", token_hash=hashed(token), now=context.now)
    if row is None:
        return None
    content = seal(token).decrypt(NONCE, bytes(row["sealed_content"]), None)
    return row["content_type"], content


def hashed(token: str) -> bytes:
    return hashlib.sha256(b"name" + token.encode()).digest()


def seal(token: str) -> AESGCM:
    return AESGCM(hashlib.sha256(b"seal" + token.encode()).digest())
