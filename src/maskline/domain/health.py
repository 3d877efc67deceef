"""How something is: `up`, `starting` or `down`; what is a carrier's is `away`, and why."""

UP, AWAY = "up", "away"


def of_carrier(up: bool, why: str = "") -> str:
    """The state of a carrier's link or registration; `why` it is away stands behind a colon."""
    if up:
        return UP
    return f"{AWAY}: {why}" if why else AWAY


def is_away(state: str) -> bool:
    return state.partition(":")[0] == AWAY
