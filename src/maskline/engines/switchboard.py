"""What the switch says: each of Kamailio's requests checked against the `switch` service model and
carried out as the operation it names.

Neither a ringing phone nor a worker of Kamailio waits for the disk: a call is decided from what the
store holds, and what is to be kept of it goes into the ledger. Calls that nobody reports on any
more are ended by the keeper.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from maskline.domain.limits import Underway
from maskline.domain.trunk import Target
from maskline.engines.journal import Journal
from maskline.engines.ledger import Ledger
from maskline.engines.switch import Answer, SwitchRefusal
from maskline.model import load, validation
from maskline.operations import Context
from maskline.operations.calls import decide_call, event_of, legs_of, recorded_call
from maskline.store import Store, Transaction

SERVICE = "switch"

AcceptText = Callable[[dict[str, Any]], Awaitable[Answer]]


async def accept_nothing(_: dict[str, Any]) -> Answer:
    """Where nobody carries texts."""
    return {"SipStatus": 405}


class Places(Protocol):
    """Where carriers are."""

    def order(self, names: Sequence[str]) -> list[tuple[str, Target]]:
        """What to try for a call over these carriers, the best first."""

    def suspect(self, name: str, address: str) -> None:
        """A call could not be carried by this target."""

    def disconnected(self, name: str) -> None:
        """A target's connection was closed, which had shown its certificate or registered us."""


class Switchboard:
    """`context` gives the context for work that belongs to no account; `accept_text` carries out
    AcceptMessage, whose answer waits until the text is kept; `dismiss` confirms and ends a leg that
    belongs to no call."""

    def __init__(
        self,
        store: Store,
        context: Callable[[Transaction], Context],
        journal: Journal,
        accept_text: AcceptText = accept_nothing,
        places: Places | None = None,
        dismiss: Callable[[Mapping[str, str], int], None] = lambda _leg, _number: None,
    ) -> None:
        self._store = store
        self._context = context
        self._accept_text = accept_text
        self._places = places
        self._dismiss = dismiss
        self._operations = load(SERVICE).operations
        self._underway = Underway()
        self._ledger = Ledger(store, context, journal, self._underway)
        self.live = self._ledger.live
        self.routed = 0  # calls that were ever asked for

    def ask(self, name: str, request: dict[str, Any]) -> Answer | Awaitable[Answer]:
        """The operation's answer, at once where there is nothing to wait for; raises
        SwitchRefusal."""
        self._check(name, request)
        if name == "RouteCall":
            return self._route(request)
        if name == "GetLegs":
            return self._legs(request)
        if name == "AcceptMessage":
            return self._accept_text(request)
        if name == "ReportTrunk":
            self._heed(request)
            return {}
        if name == "DismissLeg":
            self._dismiss(request["Leg"], request["SequenceNumber"])
            return {}
        self._ledger.add(request["CallId"], event_of(request))
        return {}

    def _heed(self, request: dict[str, Any]) -> None:
        """What is told of a carrier's target."""
        if self._places is None:
            return
        if request.get("Disconnected"):
            self._places.disconnected(request["CarrierName"])
        else:
            self._places.suspect(request["CarrierName"], request["Address"])

    async def recover(self) -> None:
        """Writes what an earlier process was told and did not come to write; before the first
        question."""
        await self._ledger.recover()

    async def drain(self) -> None:
        """Waits until all is written, or cannot be for now."""
        await self._ledger.drain()

    async def _route(self, request: dict[str, Any]) -> Answer:
        self.routed += 1
        answer, call = await self._store.read(
            lambda tx: decide_call(self._context(tx), request, self._underway), piecemeal=True
        )
        self._ledger.open(call)
        if self._places and "Targets" in answer:
            answer["Targets"] = targets(self._places, answer["Targets"])
        return answer

    async def _legs(self, request: dict[str, Any]) -> Answer:
        call_id = request["CallId"]
        recorded = await self._store.read(
            lambda tx: recorded_call(self._context(tx), call_id), piecemeal=True
        )
        return legs_of(self._ledger.known(call_id, recorded))

    def _check(self, name: str, request: dict[str, Any]) -> None:
        if name not in self._operations:
            raise SwitchRefusal("BadRequestException", f"there is no operation {name}")
        shape = self._operations[name].input
        faults = validation.faults(shape, request) if shape else []
        if faults:
            raise SwitchRefusal("BadRequestException", validation.message(faults))


def targets(places: Places, ways: list[Answer]) -> list[Answer]:
    """Where to send a call, with its numbers as each carrier writes them."""
    by_name = {way["CarrierName"]: way for way in ways}
    return [
        {**by_name[name], "Address": target.address, "Transport": target.transport}
        for name, target in places.order(list(by_name))
    ]
