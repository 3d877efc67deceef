"""What a caller, or a carrier, answers to a challenge, or to several."""

from collections.abc import Sequence
from typing import Any

from maskline_sip import digest
from maskline_sip.digest import Account


def answer(
    challenges: Sequence[str], account: Account, method: str, uri: str, **more: Any
) -> str | None:
    """The credentials for the strongest challenge that we understand; None for none."""
    chosen = [*digest.strongest(challenges, account).values()]
    return digest.answer(chosen[0], account, method, uri, **more) if chosen else None
