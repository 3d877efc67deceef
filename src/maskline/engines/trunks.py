"""Keeps the trunks: where each carrier is, which of its targets answer, and in what order to try
them. What it knows it tells the store, for processes that keep no trunks themselves."""

import asyncio
import contextlib
import random  # to share load, not to keep secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from maskline.domain.health import State
from maskline.domain.trunk import Health, Target, in_turn
from maskline.engines.resolver import Resolver, Unresolved
from maskline.settings import CarrierSip

HURRY_SECONDS = 2.0  # between probes of a target whose state is about to change
DOWN_SECONDS = 10.0  # between probes of one that is down, if it is not probed more often anyway
UNRESOLVED_SECONDS = 5.0
RECONNECT_SECONDS = 1.0
TELL_SECONDS = 10.0
MOST_TRIED = 4
WARY_MILLISECONDS = 30_000

log = structlog.get_logger()

Probe = Callable[[str, Target], Awaitable[bool]]
Tell = Callable[[dict[str, dict[str, Any]]], Awaitable[None]]


@dataclass(frozen=True)
class Registration:
    """How it stands with a carrier that wants us to register, since when, and when that is asked
    for next (milliseconds)."""

    state: str
    since: int
    next_at: int


@dataclass
class Trunk:
    """What is known of one carrier's trunk. `registration` is None where the carrier wants none, or
    was not asked for one yet; `forgotten` whether it may be gone, so that `renewal` has it asked
    for; `found` what each of its places led to when that was last answered."""

    name: str
    settings: CarrierSip
    targets: dict[Target, Health] = field(default_factory=dict)
    found: dict[int, list[Target]] = field(default_factory=dict)
    trouble: str = ""
    registration: Registration | None = None
    forgotten: bool = False
    renewal: asyncio.Event = field(default_factory=asyncio.Event)
    failed_at: dict[str, int] = field(default_factory=dict)
    suspected: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def usable(self) -> list[Target]:
        """The targets that may be tried. One over TLS must have shown its certificate first."""
        probed = self.settings.probed_every > 0
        return [
            target
            for target, health in self.targets.items()
            if health.state is State.UP
            or (health.state is State.UNKNOWN and not (probed and target.transport == "tls"))
        ]

    def report(self) -> dict[str, Any]:
        return {
            "State": State.UP if self.usable else State.DOWN,
            "Trouble": self.trouble or None,
            **self._registration(),
            "Targets": [
                {
                    "Address": target.address,
                    "Transport": target.transport,
                    "Priority": target.priority,
                    "Weight": target.weight,
                    "State": health.state,
                    "SinceTimestamp": health.since or None,
                    "CheckedTimestamp": health.checked_at or None,
                }
                for target, health in self.targets.items()
            ],
        }

    def _registration(self) -> dict[str, Any]:
        known = self.registration
        if known is None:
            return {"Registration": None}
        return {
            "Registration": known.state,
            "RegistrationSinceTimestamp": known.since,
            "NextRegistrationTimestamp": known.next_at,
        }

    def forget_registration(self) -> None:
        """Has it asked for anew when the trunk was looked at, if it was asked for before."""
        self.forgotten = self.registration is not None
        self.suspected.set()


class Trunks:
    """`down` is a set that holds the names of the carriers that cannot take a call; this owns it.
    `clock` gives milliseconds since the epoch."""

    def __init__(
        self,
        settings: Mapping[str, CarrierSip],
        resolver: Resolver,
        down: set[str],
        clock: Callable[[], int],
    ) -> None:
        self._trunks = {name: Trunk(name, own) for name, own in settings.items()}
        self._resolver, self._down, self._clock = resolver, down, clock
        self.ready = asyncio.Event()
        self._unready = set(self._trunks)
        if not self._trunks:
            self.ready.set()

    async def keep(self, probe: Probe, tell: Tell) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for trunk in self._trunks.values():
                group.create_task(self._keep(trunk, probe))
            group.create_task(self._tell(tell))

    def order(self, names: Sequence[str]) -> list[tuple[str, Target]]:
        """What to try for a call over these carriers, the best first: the best place of each of
        them, and as many others as there is room for."""
        found = []
        for name in names:
            trunk = self._trunks.get(name)
            usable = trunk.usable if trunk else []
            found += [(name, one) for one in in_turn(usable, lambda n: random.randint(0, n))]
        found.sort(key=lambda one: self._failed_lately(*one))
        best = dict(reversed(found))
        # Many places of the first carrier would leave nothing to those that may replace it.
        kept = sorted(found, key=lambda one: best[one[0]] != one[1])[:MOST_TRIED]
        return sorted(kept, key=found.index)

    def _failed_lately(self, name: str, target: Target) -> bool:
        failed_at = self._trunks[name].failed_at.get(target.address)
        return failed_at is not None and self._clock() - failed_at < WARY_MILLISECONDS

    def suspect(self, name: str, address: str) -> None:
        """A call could not be carried by this target: it is the last choice for a while, and is
        looked at now."""
        trunk = self._trunks.get(name)
        if trunk is not None:
            trunk.failed_at[address] = self._clock()
            trunk.suspected.set()

    def disconnected(self, name: str) -> None:
        """A connection was closed that had shown a target's certificate, or by which the carrier
        has registered us. The next one is made before a call wants it, but not at once: there may
        be carriers that close each."""
        trunk = self._trunks.get(name)
        if trunk is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(RECONNECT_SECONDS, trunk.forget_registration)

    def look_again(self) -> None:
        """Has all targets looked at now: Kamailio was started, and sends nothing to a place over
        TLS before it has seen a certificate there. Then registrations are asked for again:
        passwords may be others, and connections are gone."""
        for trunk in self._trunks.values():
            trunk.forget_registration()

    def registered(self, name: str, state: str, pause: float) -> None:
        """How the registration with a carrier stands, and in how many seconds it is asked for
        next."""
        trunk, now = self._trunks[name], self._clock()
        before = trunk.registration
        since = before.since if before and before.state == state else now
        trunk.registration = Registration(state, since, now + int(pause * 1000))

    def unregistered(self, name: str) -> None:
        """There is no registration with a carrier any more, and none is wanted."""
        self._trunks[name].registration = None

    def renewal(self, name: str) -> asyncio.Event:
        """Set when the registration with a carrier is to be asked for at once."""
        return self._trunks[name].renewal

    def registrations(self) -> dict[str, str]:
        """How those stand that were asked for."""
        return {
            name: trunk.registration.state
            for name, trunk in self._trunks.items()
            if trunk.registration
        }

    def reports(self) -> dict[str, dict[str, Any]]:
        return {name: trunk.report() for name, trunk in self._trunks.items()}

    async def _keep(self, trunk: Trunk, probe: Probe) -> None:
        resolved_until = 0.0
        loop = asyncio.get_running_loop()
        while True:
            was_away = not trunk.usable
            if loop.time() >= resolved_until:
                resolved_until = loop.time() + await self._resolve(trunk)
            trunk.suspected.clear()  # before: what is suspected while we look may be news
            forgotten, trunk.forgotten = trunk.forgotten, False
            if trunk.settings.probed_every:
                await asyncio.gather(*(self._probe(trunk, one, probe) for one in trunk.targets))
            self._judge(trunk)
            if forgotten or (was_away and trunk.usable and trunk.registration):
                trunk.renewal.set()
            pause = min(self._pause(trunk), max(0.0, resolved_until - loop.time()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # wait_for can lose a cancellation in 3.11
                    await trunk.suspected.wait()

    async def _resolve(self, trunk: Trunk) -> float:
        """Looks the trunk's targets up; for how many seconds they hold. Of a place for which nobody
        answers, what was found last time stays."""
        holds, troubles = float("inf"), list[str]()
        for place, (endpoint, transport, priority, weight) in enumerate(trunk.settings.places):
            try:
                targets, seconds = await self._resolver.targets(endpoint, transport)
                trunk.found[place] = [one.below(priority, weight) for one in targets]
            except Unresolved as error:
                seconds = UNRESOLVED_SECONDS
                troubles.append(str(error))
                log.warning("carrier not found", carrier=trunk.name, reason=str(error))
            holds = min(holds, seconds)
        found = [one for place in sorted(trunk.found) for one in trunk.found[place]]
        trunk.targets = {one: trunk.targets.get(one, Health()) for one in found}
        trunk.trouble = "; ".join(troubles)
        return holds

    async def _probe(self, trunk: Trunk, target: Target, probe: Probe) -> None:
        answered = await probe(trunk.name, target)
        before = trunk.targets.get(target)
        if before is None:  # the name leads elsewhere now
            return
        after = trunk.targets[target] = before.probed(answered, self._clock())
        if after.state is not before.state:
            log.info("trunk", carrier=trunk.name, target=str(target), state=after.state.value)

    def _pause(self, trunk: Trunk) -> float:
        often = trunk.settings.probed_every
        if not often:
            return float("inf")
        if any(health.against for health in trunk.targets.values()):
            return min(HURRY_SECONDS, often)
        down = any(health.state is State.DOWN for health in trunk.targets.values())
        return min(DOWN_SECONDS, often) if down else often

    def _judge(self, trunk: Trunk) -> None:
        (self._down.discard if trunk.usable else self._down.add)(trunk.name)
        self._unready.discard(trunk.name)
        if not self._unready:
            self.ready.set()

    async def _tell(self, tell: Tell) -> None:
        await self.ready.wait()
        while True:
            try:
                await tell(self.reports())
            except Exception:
                log.exception("state of the trunks not stored")
            await asyncio.sleep(TELL_SECONDS)
