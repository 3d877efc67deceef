"""Finding the proxy numbers of a new session. The rules are in `maskline.domain.selection`."""

from collections.abc import Iterator
from dataclasses import dataclass

from maskline.domain.connector import Assignment
from maskline.domain.refusals import NoNumberFree
from maskline.domain.selection import Behaviour, Place
from maskline.operations.context import Context
from maskline.store import Row

# How many candidates are looked at before the whole pool is. Only somebody who has used more
# numbers than this can be given one that is not the very best.
WINDOW = 128
WHOLE_POOL = 2**31


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a session needs numbers for, and from where.

    `pools` are tried in order within each tier of places: the connector's own numbers, then the
    account's shared ones.
    """

    participants: tuple[str, str]
    pools: tuple[str, str]
    tiers: list[list[Place]]
    countries: tuple[str, ...]
    behaviour: Behaviour | None
    assignment: Assignment


@dataclass(frozen=True)
class Search:
    """For whom a number must be free, and whose numbers with whom are to be avoided."""

    first: str
    second: str
    first_peer: str = ""
    second_peer: str = ""


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
    indifferent = Search(search.first, search.second)
    searches = [search] if wish.behaviour is Behaviour.AVOID_STICKY else []
    for attempt in [*searches, indifferent]:
        for tier in wish.tiers:
            for pool in wish.pools:
                if row := best_of_tier(context, pool, tier, attempt):
                    number: str = row["phone_number"]
                    return number
    return None


def best_of_tier(context: Context, pool: str, tier: list[Place], search: Search) -> Row | None:
    """The best free number of a pool in places that are equally good."""
    for window in (WINDOW, WHOLE_POOL):
        for query in (unused, longest_unused):
            found = [row for place in tier for row in query(context, pool, place, search, window)]
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


def unused(context: Context, pool: str, place: Place, search: Search, window: int) -> Iterator[Row]:
    query = "unused_number_of_area" if place.area_code else "unused_number_of_country"
    return ask(context, query, pool, place, search, window)


def longest_unused(
    context: Context, pool: str, place: Place, search: Search, window: int
) -> Iterator[Row]:
    return ask(context, "longest_unused_number", pool, place, search, window)


def ask(
    context: Context, query: str, pool: str, place: Place, search: Search, window: int
) -> Iterator[Row]:
    row = context.tx.one(
        query,
        pool=pool,
        country=place.country,
        area_code=place.area_code,
        window=window,
        now=context.now,
        **vars(search),
    )
    if row is not None:
        yield row


def sticky(context: Context, wish: Wish) -> tuple[str, str] | None:
    """The numbers that the pair used last, if they are free and still to be had."""
    first, second = wish.participants
    first_number = sticky_number(context, wish, first, second)
    second_number = sticky_number(context, wish, second, first)
    if first_number is None or second_number is None:
        return None
    if first_number != second_number and wish.assignment is Assignment.SHARED:
        return None
    return first_number, second_number


def sticky_number(context: Context, wish: Wish, participant: str, peer: str) -> str | None:
    pool, shared_pool = wish.pools
    row = context.tx.one(
        "sticky_number", participant=participant, peer=peer, pool=pool, shared_pool=shared_pool
    )
    if row is None or row["country"] not in wish.countries:
        return None
    number: str = row["phone_number"]
    claim = context.tx.one("get_claim", participant=participant, proxy_number=number)
    return number if claim is None or claim["held_until"] <= context.now else None


def exhausted(context: Context, wish: Wish) -> NoNumberFree:
    pool, shared_pool = wish.pools
    size = 0
    for country in wish.countries:
        row = context.tx.one("pool_size", pool=pool, shared_pool=shared_pool, country=country)
        assert row is not None
        size += row["numbers"]
    return NoNumberFree(
        "No proxy phone number is free for these participants. "
        f"Countries tried: {', '.join(wish.countries)}; numbers in the pool: {size}."
    )
