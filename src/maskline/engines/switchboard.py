"""What the switch says: each of Kamailio's requests checked against the `switch` service model and
carried out as the operation it names."""

from collections.abc import Callable
from typing import Any

from maskline.domain.refusals import Refusal
from maskline.engines.switch import Answer, SwitchRefusal
from maskline.model import load, validation
from maskline.operations import TABLE, Context
from maskline.store import Store, Transaction

SERVICE = "switch"


class Switchboard:
    """`context` gives the context for work that belongs to no account."""

    def __init__(self, store: Store, context: Callable[[Transaction], Context]) -> None:
        self._store = store
        self._context = context
        self._operations = load(SERVICE).operations

    async def ask(self, name: str, request: dict[str, Any]) -> Answer:
        """The operation's answer, durable when it changed something; raises SwitchRefusal."""
        self._check(name, request)
        handler = TABLE[SERVICE, name]
        carry_out = self._store.write if handler.mutates else self._store.read
        try:
            return await carry_out(lambda tx: handler.function(self._context(tx), request))
        except Refusal as refusal:
            raise SwitchRefusal(f"{refusal.kind}Exception", refusal.message) from None

    def _check(self, name: str, request: dict[str, Any]) -> None:
        if name not in self._operations:
            raise SwitchRefusal("BadRequestException", f"there is no operation {name}")
        shape = self._operations[name].input
        faults = validation.faults(shape, request) if shape else []
        if faults:
            raise SwitchRefusal("BadRequestException", validation.message(faults))
