"""Values that name a file: `file://text.json`, `fileb://blob.bin`."""

import os

from maskline.cli.faults import BadValue


def load(option: str, value: str) -> str | bytes:
    """The content of the file that a value names, or the value itself.

    `option` is how the option is called in the fault. Raises BadValue.
    """
    prefix, found, name = value.partition("://")
    if not found or prefix not in ("file", "fileb"):
        return value
    path = os.path.expandvars(os.path.expanduser(name))
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError) as error:
        raise BadValue(option, f"Unable to load paramfile {value}: {error}") from None
    if prefix == "fileb":
        return content
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise BadValue(
            option,
            f"Unable to load paramfile ({path}), text contents could not be decoded.  If this is"
            " a binary file, please use the fileb:// prefix instead of the file:// prefix.",
        ) from None
