"""Which parts of the house a process runs."""

import argparse
from collections.abc import Callable

from maskline.daemon.api import Api
from maskline.daemon.health import Health
from maskline.daemon.house import House, Part
from maskline.daemon.sip import Sip
from maskline.daemon.sms import Sms

# In the order in which they start; they stop in the opposite one.
ROLES: dict[str, Callable[[House], Part]] = {"api": Api, "sip": Sip, "sms": Sms}
ALL = "all"


def read_roles(text: str) -> list[str]:
    """The roles in a list with commas; raises ArgumentTypeError for one that there is not."""
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in (*ROLES, ALL)]
    if unknown:
        offered = ", ".join((*ROLES, ALL))
        raise argparse.ArgumentTypeError(f"there is no role {unknown[0]!r}, only {offered}")
    return names


def parts_of(house: House, roles: list[str]) -> list[Part]:
    """What the roles stand for and what any process may have, made; raises GroundError where one
    cannot run."""
    parts = [make(house) for role, make in ROLES.items() if role in roles or ALL in roles]
    listen = house.settings.health.listen
    return [Health(house, listen), *parts] if listen else parts
