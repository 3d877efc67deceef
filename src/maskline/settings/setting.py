"""What a setting is: a field of a class, with what people need to know about it."""

from dataclasses import MISSING, field
from typing import Any


def setting(
    about: str,
    default: Any = MISSING,
    *,
    least: int | None = None,
    most: int | None = None,
    example: str | None = None,
) -> Any:
    """A setting: what it is for, its default (none: it must be given), its bounds when a number.

    `example` is what the documentation shows for a setting without a default to be shown.
    """
    return field(
        default=default,
        metadata={"about": about, "least": least, "most": most, "example": example},
    )
