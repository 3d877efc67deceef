"""A keeper of calls with a real store, and a stand-in for the engines."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from maskline import operations
from maskline.domain.call import Call
from maskline.domain.causes import NORMAL
from maskline.engines.keeper import Keeper
from maskline.engines.ng import NgSilence
from maskline.operations import TABLE, Context, Policy
from maskline.operations.calls import recorded_call
from maskline.store import Store, Transaction

ANN, BEN, PROXY = "+12065550100", "+14015550101", "+19135550199"
LEGS = [
    {"CallId": "a", "From": "<sip:a>", "To": "<sip:b>", "Target": "sip:a"},
    {"CallId": "b", "From": "<sip:c>", "To": "<sip:d>", "Target": "sip:b"},
]


class Engines:
    """Remembers who was hung up; `held` are the calls whose sound is relayed."""

    def __init__(self, *, alone: bool = False) -> None:
        self.alone = alone
        self.held: set[str] = set()
        self.heard_at: dict[str, int] = {}  # in seconds; of others just now
        self.hung_up: list[str] = []
        self.causes: set[int | None] = set()
        self.cancelled: list[str] = []
        self.ringing: set[str] = set()
        self.silent = False
        self.deaf = asyncio.Event()
        self.deaf.set()
        self.unreached: list[str] = []
        self.answers: dict[str, int | None] = {}

    async def hang_up(self, leg: Mapping[str, str], cause: int | None = NORMAL) -> int | None:
        self.hung_up.append(leg["CallId"])
        self.causes.add(cause)
        await self.deaf.wait()
        if leg["CallId"] in self.unreached:
            self.unreached.remove(leg["CallId"])
            return 503
        return self.answers.get(leg["CallId"], 200)

    async def cancel(self, call_id: str) -> int | None:
        self.cancelled.append(call_id)
        return 200

    async def rings(self, call_id: str) -> bool | None:
        return call_id in self.ringing

    async def holds(self, call_id: str, heard_since: int = 0) -> bool:
        if self.silent:
            raise NgSilence("no answer")
        return call_id in self.held and self.heard_at.get(call_id, heard_since) >= heard_since

    async def release(self, call_id: str) -> None:
        self.held.discard(call_id)


class House:
    """A service without a network: one session between two people, and a clock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1_000_000_000_000
        self.engines = Engines()
        self.keeper = Keeper(store, self.engines, self.engines, self.context, "")
        self.account_id = ""

    def context(self, tx: Transaction) -> Context:
        return Context(
            tx=tx,
            account_id=self.account_id,
            now=self.now,
            new_id=lambda: str(uuid4()),
            policy=Policy(carriers=("acme",)),
        )

    async def do(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        function = TABLE[service, operation].function
        return await self.store.write(lambda tx: function(self.context(tx), request))

    async def furnish(self) -> None:
        made = await self.store.write(lambda tx: operations.bootstrap_account(self.context(tx)))
        assert made is not None
        self.account_id = made.account_id
        await self.do(
            "maskline", "ImportPhoneNumbers",
            CarrierName="acme", E164PhoneNumbers=[PROXY], Shared=True,
        )  # fmt: skip
        voice = "chime-sdk-voice"
        made_connector = await self.do(
            voice, "CreateVoiceConnector", Name="c", RequireEncryption=False
        )
        connector = {"VoiceConnectorId": made_connector["VoiceConnector"]["VoiceConnectorId"]}
        await self.do(
            voice, "PutVoiceConnectorProxy", **connector,
            DefaultSessionExpiryMinutes=60, PhoneNumberPoolCountries=["US"],
        )  # fmt: skip
        answer = await self.do(
            voice, "CreateProxySession", **connector,
            ParticipantPhoneNumbers=[ANN, BEN], Capabilities=["Voice"],
        )  # fmt: skip
        session = answer["ProxySession"]
        self.session = {name: session[name] for name in ("VoiceConnectorId", "ProxySessionId")}

    async def dial(self) -> str:
        answer = await self.do("switch", "RouteCall", CarrierName="acme", Caller=ANN, Called=PROXY)
        assert answer["Decision"] == "Connect"
        self.engines.held.add(answer["CallId"])
        call_id: str = answer["CallId"]
        return call_id

    async def answer(self, call_id: str) -> None:
        await self.do(
            "switch", "ReportCall",
            CallId=call_id, Event="Answered", Timestamp=self.now, Legs=LEGS,
        )  # fmt: skip

    async def live(self) -> list[Call]:
        return await self.store.read(lambda tx: operations.live_calls(self.context(tx)))

    async def settled(self) -> None:
        """Returns when the keeper has ended what it started to end."""
        while tasks := list(self.keeper._ending.values()):
            await asyncio.wait(tasks)


async def end_of(house: House, call_id: str) -> tuple[str | None, int | None]:
    call = await house.store.read(lambda tx: recorded_call(house.context(tx), call_id))
    assert call is not None
    return call.ended_by, call.sip_status


async def hang_up(house: House, keeper: Keeper, after: int = 0) -> list[str]:
    """Who is hung up so many milliseconds later."""
    house.now += after
    house.engines.hung_up.clear()
    await keeper.hang_up_due()
    while tasks := list(keeper._ending.values()):
        await asyncio.wait(tasks)
    return sorted(house.engines.hung_up)
