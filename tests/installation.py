"""A store in use: an account, numbers, a connector, and operations carried out through it."""

import time
from typing import Any
from uuid import uuid4

from maskline.operations import TABLE, Context, Credentials, Policy, bootstrap_account
from maskline.operations.nodes import MaskKeys, Node, put_node
from maskline.store import Store, Transaction

VOICE = "chime-sdk-voice"
ANN, BEN, CAT = "+12065550100", "+14015550101", "+13035550102"
NUMBERS = [f"+1913555010{digit}" for digit in range(5)]


class Installation:
    """`now` is in milliseconds since the epoch; None for the time that it is."""

    def __init__(self, store: Store, now: int | None = None, account_id: str = "") -> None:
        self.store = store
        self.now = now
        self.account_id = account_id
        self.credentials: Credentials | None = None

    def clock(self) -> int:
        return self.now or time.time_ns() // 1_000_000

    def context(self, tx: Transaction) -> Context:
        return Context(
            tx=tx,
            account_id=self.account_id,
            now=self.clock(),
            clock=self.clock,
            new_id=lambda: str(uuid4()),
            policy=Policy(carriers=("acme",)),
        )

    async def call(self, operation: str, service: str = VOICE, **request: Any) -> dict[str, Any]:
        handler = TABLE[service, operation]
        if not handler.mutates:
            return await self.store.read(lambda tx: handler.function(self.context(tx), request))
        return await self.store.write(
            lambda tx: handler.function(self.context(tx), request), beside=handler.beside
        )

    async def prepare(self, *numbers: str) -> str:
        """Makes the account and a connector with these numbers in its pool; the connector's id."""
        credentials = await self.store.write(lambda tx: bootstrap_account(self.context(tx)))
        assert credentials is not None
        self.credentials = credentials
        self.account_id = credentials.account_id
        await self.call(
            "ImportPhoneNumbers",
            "maskline",
            CarrierName="acme",
            E164PhoneNumbers=list(numbers),
            Shared=True,
        )
        return await self.connector()

    async def connector(self) -> str:
        made = await self.call("CreateVoiceConnector", Name="c", RequireEncryption=False)
        connector: str = made["VoiceConnector"]["VoiceConnectorId"]
        await self.call(
            "PutVoiceConnectorProxy",
            VoiceConnectorId=connector,
            DefaultSessionExpiryMinutes=60,
            PhoneNumberPoolCountries=["US"],
        )
        return connector

    async def open(self, connector: str, first: str, second: str, **more: Any) -> dict[str, Any]:
        made = await self.call(
            "CreateProxySession",
            VoiceConnectorId=connector,
            ParticipantPhoneNumbers=[first, second],
            **{"Capabilities": ["Voice"], **more},
        )
        session: dict[str, Any] = made["ProxySession"]
        return session

    async def close(self, connector: str, session_id: str) -> None:
        await self.call("DeleteProxySession", VoiceConnectorId=connector, ProxySessionId=session_id)

    async def sessions(self, connector: str) -> list[str]:
        found = await self.call("ListProxySessions", VoiceConnectorId=connector)
        return [session["ProxySessionId"] for session in found["ProxySessions"]]

    async def furnish(self) -> str:
        """Leaves something in every table but those of texts and recordings; the connector's id."""
        connector = await self.prepare(*NUMBERS)
        await self.call(
            "ImportPhoneNumbers",
            "maskline",
            CarrierName="acme",
            E164PhoneNumbers=["+12125550177", "+442079460123"],
        )
        await self.call(
            "CreatePhoneNumberOrder",
            ProductType="VoiceConnector",
            E164PhoneNumbers=["+12125550177"],
        )
        await self.open(connector, ANN, BEN)
        closed = await self.open(connector, ANN, CAT)
        await self.close(connector, closed["ProxySessionId"])
        call = await self.call(
            "RouteCall", "switch", Caller=ANN, Called=NUMBERS[0], CarrierName="acme"
        )
        await self.call(
            "ReportCall",
            "switch",
            CallId=call["CallId"],
            Event="Ringing",
            Timestamp=self.clock(),
        )
        await self.store.write(
            lambda tx: put_node(
                self.context(tx), Node("n", MaskKeys("a", {"a": "f"}), (), None, ())
            )
        )
        await self._configure(connector)
        return connector

    async def _configure(self, connector: str) -> None:
        await self.call(
            "CreateVoiceConnectorGroup",
            Name="Gruppe \u00e4\u00f6\u00fc \"'\\ \u7d44",
            VoiceConnectorItems=[{"VoiceConnectorId": connector, "Priority": 1}],
        )
        await self.call(
            "PutVoiceConnectorTerminationCredentials",
            VoiceConnectorId=connector,
            Credentials=[{"Username": "u", "Password": "a password"}],
        )
        await self.call(
            "PutVoiceConnectorLoggingConfiguration",
            VoiceConnectorId=connector,
            LoggingConfiguration={"EnableSIPLogs": True},
        )
        arn = f"arn:aws:chime:us-east-1:{self.account_id}:vc/{connector}"
        await self.call("TagResource", ResourceARN=arn, Tags=[{"Key": "k", "Value": ""}])
        await self.store.write(
            lambda tx: tx.run(
                "insert_audit_record",
                account_id=self.account_id,
                access_key_id=None,
                now=self.context(tx).now,
                action="chime:TagResource",
                resource=arn,
                request_id="r",
                outcome="Success",
            )
        )
