"""How well an account's numbers carry its sessions, by pool, country and area code.

Somebody in D open sessions at once needs D numbers. Where both participants of a session get the
same number, 2D-1 are always enough; where each may get their own, D are. A number that rests for
somebody counts as if they had a session on it: so it does for all but one other person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from maskline.domain.connector import Assignment
from maskline.domain.session import Capability
from maskline.operations.assignment import quoted, rest_of
from maskline.operations.context import Answer, Context, Request
from maskline.operations.tenancy import account_for
from maskline.store import Row

BUSIEST_SHOWN = 5


@dataclass(frozen=True)
class Terms:
    """How a connector chooses numbers: its own, and those that its account shares."""

    connector_id: str
    countries: frozenset[str]
    assignment: Assignment
    rest_minutes: int


class Inventory:
    """The numbers of an account by place, and the participants who have most of them, in use or at
    rest."""

    def __init__(self, places: Sequence[Row], busiest: Sequence[Row]) -> None:
        self.places: dict[str, list[Row]] = {}
        for place in places:
            self.places.setdefault(place["pool"], []).append(place)
        self._busiest: dict[tuple[str, str | None, str | None], list[Row]] = {}
        for row in busiest:
            where = row["pool"], row["country"], row["area_code"]
            self._busiest.setdefault(where, []).append(row)

    def places_in(self, pool: str, countries: frozenset[str]) -> list[Row]:
        return [place for place in self.places.get(pool, []) if place["country"] in countries]

    def busiest(self, pool: str, country: str | None = None, area: str | None = None) -> list[Row]:
        return self._busiest.get((pool, country, area), [])

    def most(self, pool: str, country: str | None = None, area: str | None = None) -> int:
        """The most of these numbers that anybody has, in use or at rest."""
        return max((row["numbers"] for row in self.busiest(pool, country, area)), default=0)

    def missing(self, terms: Terms, shared: str) -> int:
        """How many numbers a connector lacks to refuse nobody.

        What one person holds in several countries, or of the connector's own and of shared
        numbers, is taken to be the most that anybody holds in each: never too little.
        """
        size = most = 0
        for pool in (terms.connector_id, shared):
            places = self.places_in(pool, terms.countries)
            size += sum(place["numbers"] for place in places)
            countries = {place["country"] for place in places}
            most += sum(self.most(pool, country) for country in countries)
        return max(0, enough_numbers(most, terms.assignment) - size)


def get_pool_report(context: Context, request: Request) -> Answer:
    """Size and use of each pool and of its places, and how many numbers to buy."""
    account_id = account_for(context, request)
    terms = read_terms(context, account_id)
    inventory = read_inventory(context, account_id, terms)
    pools = list(pools_of(inventory, terms, account_id))
    everything = sum(place["numbers"] for places in inventory.places.values() for place in places)
    numbers = sum(pool["Numbers"] for pool in pools)
    return {
        "PoolReport": {
            "Numbers": numbers,
            "NumbersInUse": sum(pool["NumbersInUse"] for pool in pools),
            "NumbersInNoPool": everything - numbers,
            "NumbersToBuy": sum(pool["NumbersToBuy"] for pool in pools),
            "Pools": pools,
        }
    }


def read_inventory(context: Context, account_id: str, terms: list[Terms]) -> Inventory:
    row = context.tx.one("get_longest_rest", account_id=account_id)
    rest = rest_of(context, None, row["minutes"] if row else None)
    return Inventory(
        context.tx.all(
            "list_pool_places",
            account_id=account_id,
            for_voice=quoted(context.policy.fit({Capability.VOICE})),
            for_sms=quoted(context.policy.fit({Capability.SMS})),
        ),
        context.tx.all(
            "list_busiest_participants",
            account_id=account_id,
            longest_rest=max((each.rest_minutes for each in terms), default=rest.usual),
            shown=BUSIEST_SHOWN,
            **rest.bounds(context.now),
        ),
    )


def read_terms(context: Context, account_id: str) -> list[Terms]:
    """The terms of the connectors that have a proxy configuration."""
    default = context.policy.rules.number_assignment
    return [
        Terms(
            row["voice_connector_id"],
            frozenset(row["countries"].split(",")),
            Assignment(row["number_assignment"] or default),
            rest_of(context, row["number_rest_minutes"], None).own,
        )
        for row in context.tx.all("list_pool_terms", account_id=account_id)
    ]


def pools_of(inventory: Inventory, terms: list[Terms], shared: str) -> Iterator[dict[str, Any]]:
    """Each connector's own numbers, and those that the account (`shared`) shares among them.

    A connector without numbers of its own is shown where it has no others either.
    """
    sharing = []
    for each in terms:
        own = inventory.places_in(each.connector_id, each.countries)
        if own or not inventory.places_in(shared, each.countries):
            pool = shown_pool(inventory, each.connector_id, own, each.assignment)
            missing = inventory.missing(each, shared)
            yield {"VoiceConnectorId": each.connector_id, **pool, "NumbersToBuy": missing}
        else:
            sharing.append(each)
    if places := inventory.places.get(shared, []):
        # The numbers have to do for the most demanding of those that take them.
        rules = {each.assignment for each in sharing or terms}
        (assignment,) = rules if len(rules) == 1 else (Assignment.SHARED,)
        pool = shown_pool(inventory, shared, places, assignment)
        missing = max((inventory.missing(each, shared) for each in sharing), default=0)
        yield {**pool, "NumbersToBuy": missing}


def shown_pool(
    inventory: Inventory, pool: str, places: list[Row], assignment: Assignment
) -> dict[str, Any]:
    return {
        "NumberAssignment": assignment,
        **shown_load(places, inventory.busiest(pool)),
        "Places": [shown_place(inventory, place, assignment) for place in places],
    }


def shown_place(inventory: Inventory, place: Row, assignment: Assignment) -> dict[str, Any]:
    where = place["country"], place["area_code"]
    enough = enough_numbers(inventory.most(place["pool"], *where), assignment)
    return {
        "Country": place["country"],
        "AreaCode": place["area_code"],
        **shown_load([place], inventory.busiest(place["pool"], *where)),
        "NumbersToBuy": max(0, enough - place["numbers"]),
    }


def shown_load(places: list[Row], busiest: list[Row]) -> dict[str, Any]:
    size = sum(place["numbers"] for place in places)
    most = busiest[0]["numbers"] if busiest else 0
    return {
        "Numbers": size,
        "NumbersForVoice": sum(place["voice"] for place in places),
        "NumbersForSMS": sum(place["sms"] for place in places),
        "NumbersInUse": sum(place["in_use"] for place in places),
        "OpenSessions": sum(place["open_sessions"] for place in places),
        "MostSessionsOfOneParticipant": busiest[0]["most_sessions"] if busiest else 0,
        "MostNumbersOfOneParticipant": most,
        "MoreSessionsForBusiest": max(0, size - most),
        "BusiestParticipants": [
            {
                "PhoneNumber": row["participant"],
                "OpenSessions": row["sessions"],
                "RestingNumbers": row["numbers"] - row["sessions"],
            }
            for row in busiest
        ],
    }


def enough_numbers(most: int, assignment: Assignment) -> int:
    """With how many numbers nobody can be refused, given the most that anybody has."""
    most = max(1, most)  # no session at all could be opened without a number
    return most if assignment is Assignment.PER_PARTICIPANT else 2 * most - 1
