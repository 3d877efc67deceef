"""Where to look for a proxy number: the wish of the request, made into places to try in order.

Which number of a place is taken is the store's to find (it alone has the indexes): of those free
for everybody concerned, one they never used, else the one whose last session ended longest ago;
among equals the one with the fewest open sessions, then the one handed out longest ago.
"""

from dataclasses import dataclass
from enum import StrEnum


class Behaviour(StrEnum):
    """What a request prefers about numbers that its two participants used before."""

    PREFER_STICKY = "PreferSticky"
    AVOID_STICKY = "AvoidSticky"


@dataclass(frozen=True)
class Place:
    """A country (ISO 3166-1 alpha-2) and, where one is wished for, an area code in it."""

    country: str
    area_code: str = ""


def wished_place(
    level: str | None, country: str | None, area_code: str | None, first: Place
) -> Place | None:
    """The place that a request wants its number from, None when it does not mind.

    `level` is GeoMatchLevel, `country` and `area_code` are GeoMatchParams (empty text says
    nothing), `first` is where the first participant's own number is from.
    """
    if level is None and not country and not area_code:
        return None
    wished_country = country or first.country
    if level == "Country":
        return Place(wished_country)
    if level is None or area_code:
        return Place(wished_country, area_code or "")
    return Place(wished_country, first.area_code if wished_country == first.country else "")


def tiers(wish: Place | None, countries: tuple[str, ...]) -> list[list[Place]]:
    """The places to try, best tier first; the places within a tier are equally good.

    The same area code, then the same country, then every country of the pool. A wish outside the
    pool's countries is no help: only the last tier remains.
    """
    everywhere = [Place(country) for country in countries]
    if wish is None or wish.country not in countries:
        return [everywhere]
    ladder = [[wish]] if wish.area_code else []
    ladder.append([Place(wish.country)])
    if len(countries) > 1:
        ladder.append(everywhere)
    return ladder
