"""How something is, in the words that all use: of an engine, the database, a carrier's place."""

from enum import StrEnum


class State(StrEnum):
    UNKNOWN = "unknown"  # nobody has looked yet
    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    AWAY = "away"  # a carrier's link or registration, which is no fault of ours


def of_carrier(up: bool, why: str = "") -> str:
    """The state of a carrier's link or registration; `why` it is away stands behind a colon."""
    if up:
        return State.UP
    return f"{State.AWAY}: {why}" if why else State.AWAY


def is_away(state: str) -> bool:
    return state.partition(":")[0] == State.AWAY
