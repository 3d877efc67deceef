"""Where a store is, read from its URL."""

from importlib import import_module
from pathlib import Path
from typing import Any

from maskline.store.port import StoreUnusable


def sqlite_path(url: str) -> Path | None:
    """The file of a `sqlite:` URL; None for a `postgresql://` one. Raises ValueError for others."""
    scheme, _, place = url.partition(":")
    if scheme == "sqlite" and place:
        return Path(place)
    if scheme == "postgresql" and place.startswith("//"):
        return None
    raise ValueError(
        f"{url!r} is not a store such as sqlite:var/maskline.db or postgresql://host/name"
    )


def of_postgresql(module: str) -> Any:
    """A module of ours that needs PostgreSQL's library, which is loaded only where it is used.

    Raises StoreUnusable where it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise StoreUnusable(
            f"Python packages for PostgreSQL are not installed; run tools/install serve: {error}"
        ) from error
