"""What the switch says: each of Kamailio's requests checked against the `switch` service model and
carried out as the operation it names.

Neither a ringing phone nor a worker of Kamailio waits for the disk: a call is decided from what the
store holds, and what is to be kept of it is written in the background, in order for each call. What
a crash takes with it is made up for by the keeper, which ends the calls that nobody reports on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from maskline.domain.refusals import Refusal
from maskline.engines.switch import Answer, SwitchRefusal
from maskline.model import load, validation
from maskline.operations import Context
from maskline.operations.calls import decide_call, open_record, report_call
from maskline.store import Store, Transaction

SERVICE = "switch"

log = structlog.get_logger()


AcceptText = Callable[[dict[str, Any]], Awaitable[Answer]]


async def accept_nothing(_: dict[str, Any]) -> Answer:
    """Where nobody carries texts."""
    return {"SipStatus": 405}


class Switchboard:
    """`context` gives the context for work that belongs to no account; `accept_text` carries out
    AcceptMessage, whose answer waits until the text is kept."""

    def __init__(
        self,
        store: Store,
        context: Callable[[Transaction], Context],
        accept_text: AcceptText = accept_nothing,
    ) -> None:
        self._store = store
        self._context = context
        self._accept_text = accept_text
        self._operations = load(SERVICE).operations

        self._writing: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, request: dict[str, Any]) -> Answer:
        """The operation's answer; raises SwitchRefusal."""
        self._check(name, request)
        if name == "RouteCall":
            return await self._route(request)
        if name == "AcceptMessage":
            return await self._accept_text(request)
        self._write(request["CallId"], lambda tx: report_call(self._context(tx), request))
        return {}

    async def drain(self) -> None:
        """Waits until all is written."""
        while self._writing:
            await asyncio.wait(self._writing.values())

    async def _route(self, request: dict[str, Any]) -> Answer:
        answer, call = await self._store.read(lambda tx: decide_call(self._context(tx), request))
        self._write(call.call_id, lambda tx: open_record(self._context(tx), call))
        return answer

    def _write(self, call_id: str, work: Callable[[Transaction], object]) -> None:
        before = self._writing.get(call_id)
        task = asyncio.create_task(self._written(before, work, call_id))
        self._writing[call_id] = task
        task.add_done_callback(lambda done: self._forget(call_id, done))

    def _forget(self, call_id: str, done: asyncio.Task[None]) -> None:
        if self._writing.get(call_id) is done:
            del self._writing[call_id]

    async def _written(
        self,
        before: asyncio.Task[None] | None,
        work: Callable[[Transaction], object],
        call_id: str,
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        try:
            await self._store.write(work, beside=True)
        except Refusal as refusal:
            log.warning("report refused", call_id=call_id, reason=refusal.kind)
        except Exception:
            log.exception("call not recorded", call_id=call_id)

    def _check(self, name: str, request: dict[str, Any]) -> None:
        if name not in self._operations:
            raise SwitchRefusal("BadRequestException", f"there is no operation {name}")
        shape = self._operations[name].input
        faults = validation.faults(shape, request) if shape else []
        if faults:
            raise SwitchRefusal("BadRequestException", validation.message(faults))
