"""Finding the proxy numbers of a new session. The rules are in `maskline.domain.selection`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from maskline.clock import MINUTE
from maskline.domain.connector import Assignment
from maskline.domain.refusals import NoNumberFree
from maskline.domain.selection import Behaviour, Place
from maskline.domain.session import Capability
from maskline.operations.context import Context
from maskline.store import Row

# How many numbers of a place are looked at for one that was never used. Only somebody who has used
# more than this many can miss one, and then gets the number that rested longest instead.
WINDOW = 256
WHOLE_POOL = 2**31


@dataclass(frozen=True, kw_only=True)
class Rest:
    """How many minutes a number rests for a participant before a session with another person: as
    the connector says that opens the session (`own`) or that of the session before, whichever is
    longer. `usual` is what holds for a connector without a rule of its own; no connector of the
    account has a longer rest than `longest`."""

    own: int = 0
    usual: int = 0
    longest: int = 0

    def bounds(self, now: int) -> dict[str, int]:
        """What the queries are given, see selection.sql."""
        return {
            "now": now,
            "rested": now - self.own * MINUTE,
            "all_rested": now - self.longest * MINUTE,
            "usual_rest": self.usual,
        }


def rest_of(context: Context, own: int | None, longest: int | None) -> Rest:
    """The rest that holds where a connector has this rule of its own and the longest such rule of
    the account is that; None where there is none."""
    usual = context.policy.rules.number_rest_minutes
    return Rest(own=usual if own is None else own, usual=usual, longest=max(usual, longest or 0))


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a session needs numbers for, and from where.

    Within each tier of places the numbers of an earlier pool come before those of a later one.
    Those of the carriers that are `fit` can do all that is `needed`.
    """

    participants: tuple[str, str]
    pools: tuple[str, ...]
    tiers: list[list[Place]]
    countries: tuple[str, ...]
    behaviour: Behaviour | None
    assignment: Assignment
    rest: Rest = Rest()
    needed: frozenset[Capability]
    fit: tuple[str, ...]

    def asked(self, now: int) -> dict[str, Any]:
        """For whom, and which numbers rest for them, as the queries are given it."""
        first, second = self.participants
        return {"first": first, "second": second, **self.rest.bounds(now)}


def quoted(carriers: Iterable[str]) -> str:
    """The names of carriers as the queries are given them, see selection.sql."""
    return "".join(f'"{name}"' for name in carriers)


@dataclass(frozen=True)
class Search:
    """For whom a number must be free, and with whom it must not have been used."""

    mine: str
    theirs: str
    my_peer: str = ""
    their_peer: str = ""

    def swapped(self) -> "Search":
        return Search(self.theirs, self.mine, self.their_peer, self.my_peer)


def assign_numbers(context: Context, wish: Wish) -> tuple[str, str]:
    """The proxy number of each participant, not yet claimed; raises NoNumberFree."""
    if wish.behaviour is Behaviour.PREFER_STICKY and (numbers := sticky(context, wish)):
        return numbers
    first, second = wish.participants
    if number := find(context, wish, Search(first, second, second, first)):
        return number, number
    if wish.assignment is Assignment.PER_PARTICIPANT:
        first_number = find(context, wish, Search(first, first, second, second))
        second_number = find(context, wish, Search(second, second, first, first))
        if first_number and second_number:
            return first_number, second_number
    raise exhausted(context, wish)


def find(context: Context, wish: Wish, search: Search) -> str | None:
    """The best free number; one this pair used only when it avoids none or there is no other."""
    searches = [Search(search.mine, search.theirs)]
    if wish.behaviour is Behaviour.AVOID_STICKY:
        searches.insert(0, search)
    for each in searches:
        for tier in wish.tiers:
            for pool in wish.pools:
                if row := best_of_tier(context, wish, pool, tier, each):
                    number: str = row["phone_number"]
                    return number
    return None


def best_of_tier(
    context: Context, wish: Wish, pool: str, tier: list[Place], search: Search
) -> Row | None:
    """The best free number of a pool in places that are equally good."""
    for look in (unused, longest_unused, unused_anywhere):
        found = [row for place in tier for row in look(context, wish, pool, place, search)]
        if found:
            return min(found, key=preference)
    return None


def preference(row: Row) -> tuple[int, int, int, str]:
    """What numbers are ordered by, the best first."""
    return (
        row["last_used_at"],
        row["open_sessions"],
        row["last_assigned_at"],
        row["phone_number"],
    )


def unused(context: Context, wish: Wish, pool: str, place: Place, search: Search) -> Iterator[Row]:
    """Numbers that neither participant ever used, the best of each carrier's first in the place."""
    return unused_among(context, wish, pool, place, search, WINDOW)


def unused_anywhere(
    context: Context, wish: Wish, pool: str, place: Place, search: Search
) -> Iterator[Row]:
    """As `unused`, but certain: looked for when everything else they ever used is taken."""
    return unused_among(context, wish, pool, place, search, WHOLE_POOL)


def unused_among(
    context: Context, wish: Wish, pool: str, place: Place, search: Search, window: int
) -> Iterator[Row]:
    for carrier in wish.fit:
        row = context.tx.one(
            "unused_number_of_area" if place.area_code else "unused_number_of_country",
            pool=pool,
            country=place.country,
            area_code=place.area_code,
            carrier=carrier,
            window=window,
            mine=search.mine,
            theirs=search.theirs,
        )
        if row is not None:
            yield row


def longest_unused(
    context: Context, wish: Wish, pool: str, place: Place, search: Search
) -> Iterator[Row]:
    """The numbers that rested longest: of those each participant was the last to use, one."""
    for each in (search, search.swapped()):
        row = context.tx.one(
            "longest_unused_number",
            pool=pool,
            country=place.country,
            area_code=place.area_code,
            fit=quoted(wish.fit),
            **vars(each),
            **wish.asked(context.now),
        )
        if row is not None:
            yield row


def sticky(context: Context, wish: Wish) -> tuple[str, str] | None:
    """The numbers of the pair's latest session on numbers that are still to be had, if both are
    free."""
    numbers = latest_of_pair(context, wish)
    if numbers is None or (len({*numbers}) > 1 and wish.assignment is Assignment.SHARED):
        return None
    held = zip(wish.participants, numbers, strict=True)
    return numbers if all(is_free(context, wish, *each) for each in held) else None


def latest_of_pair(context: Context, wish: Wish) -> tuple[str, str] | None:
    """What each of the pair had in their latest session: numbers that were given at one time."""
    first, second = wish.participants
    others: dict[int, list[str]] = {}
    for row in used_with(context, wish, second, first):
        others.setdefault(row["used_at"], []).append(row["phone_number"])
    for row in used_with(context, wish, first, second):
        number: str = row["phone_number"]
        if others_then := others.get(row["used_at"]):
            return number, number if number in others_then else others_then[0]
    return None


def used_with(context: Context, wish: Wish, participant: str, peer: str) -> list[Row]:
    """The numbers that a participant had with a peer, of those the session may have."""
    found = context.tx.all(
        "list_pair_numbers",
        participant=participant,
        peer=peer,
        pool=wish.pools[0],
        shared_pool=wish.pools[-1],
        window=WINDOW,
    )
    return [row for row in found if row["country"] in wish.countries and row["carrier"] in wish.fit]


def is_free(context: Context, wish: Wish, participant: str, number: str) -> bool:
    taken = context.tx.one(
        "is_taken", participant=participant, proxy_number=number, **wish.asked(context.now)
    )
    return taken is None


def exhausted(context: Context, wish: Wish) -> NoNumberFree:
    found = [
        row
        for pool in wish.pools
        for country in wish.countries
        for row in context.tx.all("pool_size", pool=pool, country=country)
    ]
    size = sum(row["numbers"] for row in found)
    fit = sum(row["numbers"] for row in found if row["carrier"] in wish.fit)
    resting = count_resting(context, wish) if wish.rest.longest else 0
    use = " and ".join(sorted(wish.needed)) or "anything"
    facts = f", fit for {use}: {fit}" if fit < size else ""
    facts += f", resting for one of them: {resting}" if resting else ""
    return NoNumberFree(
        "No proxy phone number is free for these participants. "
        f"Countries tried: {', '.join(wish.countries)}; numbers in the pool: {size}{facts}."
        + ("" if size else " Import or order some first.")
    )


def count_resting(context: Context, wish: Wish) -> int:
    """How many numbers that the session could have rest for one of its participants."""
    asked = {"pool": wish.pools[0], "shared_pool": wish.pools[-1], "fit": quoted(wish.fit)}
    asked |= wish.asked(context.now)
    found = (
        context.tx.one("count_resting_numbers", country=each, **asked) for each in wish.countries
    )
    return sum(row["numbers"] for row in found if row)
