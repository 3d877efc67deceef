"""What calls need that nobody else may read: the keys of the mask, the passwords of carriers."""

import base64
import contextlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

from maskline.engines.ground import GroundError
from maskline.settings import Settings

MASK_KEY_BYTES = 64


def mask_keys(path: Path) -> dict[str, Any]:
    """The keys that seal masked identifiers, made on first use; every node needs the same file.

    Raises GroundError for a file that does not hold any.
    """
    if not path.exists():
        key = base64.b64encode(secrets.token_bytes(MASK_KEY_BYTES)).decode()
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"current_key": "a", "keys": {"a": key}}, indent=2))
        with contextlib.suppress(FileExistsError):  # of two that start at once, one makes it
            os.link(fresh, path)
        fresh.unlink()
    check_mask_keys(path)
    keys: dict[str, Any] = json.loads(path.read_text())
    return keys


def check_mask_keys(path: Path) -> None:
    """Raises GroundError for a file that does not hold keys of the mask."""
    try:
        read = json.loads(path.read_text())
        names, keys = set(read["keys"]), [base64.b64decode(key) for key in read["keys"].values()]
        good = read["current_key"] in names and all(re.fullmatch("[a-z]", one) for one in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GroundError(f"sip.mask_keys: cannot use {path}: {type(error).__name__}") from None
    if not good or any(len(key) != MASK_KEY_BYTES for key in keys):
        raise GroundError(
            f"sip.mask_keys: {path} needs keys of {MASK_KEY_BYTES} bytes, each named by one letter,"
            " and current_key to be one of them"
        )


def check_passwords(settings: Settings) -> None:
    """Raises GroundError for a carrier's password that cannot be read."""
    for name, trunk in settings.trunks.items():
        told = f"carriers.{name}.sip.password_file: cannot use {trunk.password_file}"
        try:
            empty = trunk.secret == ""
        except OSError as error:
            raise GroundError(f"{told}: {error.strerror}") from None
        except ValueError:  # which holds what was read
            raise GroundError(f"{told}: it is no text in UTF-8") from None
        if empty:
            raise GroundError(f"{told}: it is empty")
