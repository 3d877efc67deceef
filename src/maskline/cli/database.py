"""What the commands about the service's own database have in common."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from maskline import settings
from maskline.cli.commands import Values
from maskline.cli.faults import Fault
from maskline.cli.options import Option
from maskline.settings import SettingsError, StoreUrl

CONFIG = Option(
    "config",
    "config",
    documentation=(
        "The settings file that names the database (store.url). Left out, maskline.toml in the"
        " current directory."
    ),
)


ELSEWHERE = "run this in the directory of the service, or name its settings with --config"


class Database(NamedTuple):
    """Where the data is, and the file with the key that its secrets are sealed under."""

    url: StoreUrl
    key_file: Path


def database_of(values: Values) -> Database:
    """The database of the settings that `--config` names; raises Fault where they are no use."""
    path = Path(str(values.get("config", "maskline.toml")))
    try:
        chosen = settings.load(path)
    except SettingsError as error:
        raise Fault("\n".join(f"{path}: {fault}" for fault in error.faults)) from None
    except OSError as error:
        raise Fault(f"{path} cannot be read: {error.strerror}", ELSEWHERE) from None
    assert chosen.store.url is not None
    assert chosen.store.key is not None
    return Database(chosen.store.url, chosen.store.key)


@contextmanager
def at(database: Database) -> Iterator[None]:
    """What goes wrong with the database inside the block is told as a Fault, without a password.

    What is kept there is nobody else's to read.
    """
    os.umask(0o077)
    try:
        yield
    except Fault:
        raise
    except Exception as error:  # each database's library has its own
        told = database.url.without_password(str(error).strip())
        raise Fault(f"{database.url}: {told}") from error
