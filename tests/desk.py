"""A desk where operations are carried out in memory, at a time of the test's choosing."""

import itertools
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from grounds import Ground, SqliteGround

from maskline.operations import TABLE, Context, Policy, bootstrap_account

VOICE = "chime-sdk-voice"
START = 1_586_967_010_288  # 2020-04-15T16:10:10.288Z

ANN, BEN, CAT = "+12065550100", "+14015550101", "+13035550102"
# What the report of an answer holds for a hang-up.
LEGS = [
    {"CallId": "a", "From": "x", "To": "y", "Target": "z"},
    {"CallId": "b", "From": "x", "To": "y", "Target": "z"},
]


class Desk:
    """One account, one carrier named acme, and a clock that only the test moves."""

    # Chosen for each test by conftest.py.
    new_ground: ClassVar[Callable[[], Ground]] = SqliteGround

    def __init__(self, policy: Policy | None = None) -> None:
        self.ground = Desk.new_ground()
        self.tx = self.ground.tx
        self.now = START
        self.access_key_id: str | None = None
        self.policy = policy or Policy(carriers=("acme",))
        self._ids = itertools.count(1)
        credentials = bootstrap_account(self.context(""))
        assert credentials is not None
        self.account_id = credentials.account_id

    def context(self, account_id: str | None = None) -> Context:
        return Context(
            tx=self.tx,
            account_id=self.account_id if account_id is None else account_id,
            now=self.now,
            new_id=lambda: str(
                UUID(int=next(self._ids) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)
            ),
            policy=self.policy,
            access_key_id=self.access_key_id,
        )

    def carry_out(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carries an operation out; what a refused one changed is taken back, as at the edge."""
        self.ground.begin()
        try:
            answer = TABLE[service, operation].function(self.context(), request)
        except BaseException:
            self.ground.undo()
            raise
        self.ground.keep()
        return answer

    def call(self, operation: str, /, **request: Any) -> dict[str, Any]:
        return self.carry_out(VOICE, operation, request)

    def maskline(self, operation: str, /, **request: Any) -> dict[str, Any]:
        return self.carry_out("maskline", operation, request)

    def switch(self, operation: str, /, **request: Any) -> dict[str, Any]:
        return self.carry_out("switch", operation, request)

    def import_numbers(
        self, *numbers: str, shared: bool = True, **more: Any
    ) -> list[dict[str, Any]]:
        request = {"CarrierName": "acme", "Shared": shared, **more}
        answer = self.maskline("ImportPhoneNumbers", E164PhoneNumbers=list(numbers), **request)
        errors: list[dict[str, Any]] = answer["PhoneNumberErrors"]
        return errors

    def tenant(self) -> str:
        """A new account beside the operator's."""
        made = self.maskline("CreateAccount", Name="tenant")
        account_id: str = made["Account"]["AccountId"]
        return account_id

    def connector(self, *countries: str, minutes: int = 60, **proxy: Any) -> str:
        """A new voice connector with a proxy configuration."""
        made = self.call("CreateVoiceConnector", Name="c", RequireEncryption=False)
        connector_id: str = made["VoiceConnector"]["VoiceConnectorId"]
        self.call(
            "PutVoiceConnectorProxy",
            VoiceConnectorId=connector_id,
            DefaultSessionExpiryMinutes=minutes,
            PhoneNumberPoolCountries=list(countries or ("US",)),
            **proxy,
        )
        return connector_id

    def open(self, connector_id: str, first: str, second: str, **more: Any) -> dict[str, Any]:
        """A new proxy session."""
        request = {"Capabilities": ["Voice", "SMS"], **more}
        answer = self.call(
            "CreateProxySession",
            VoiceConnectorId=connector_id,
            ParticipantPhoneNumbers=[first, second],
            **request,
        )
        session: dict[str, Any] = answer["ProxySession"]
        return session

    def close(self, session: dict[str, Any]) -> None:
        self.call("DeleteProxySession", **ids(session))

    def get(self, session: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("GetProxySession", **ids(session))["ProxySession"]
        return answer

    def dial(self, caller: str, called: str) -> dict[str, Any]:
        return self.switch("RouteCall", CarrierName="acme", Caller=caller, Called=called)

    def report(self, call_id: str, event: str, **more: Any) -> None:
        """What Kamailio tells of a call."""
        told = {"CallId": call_id, "Event": event, "Timestamp": self.now, **more}
        assert self.switch("ReportCall", **told) == {}

    def record(self, call_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.maskline("GetCall", CallId=call_id)["Call"]
        return answer

    def rule(self, connector_id: str, **rules: Any) -> None:
        """Gives the connector these rules of its own and no others."""
        self.maskline("PutVoiceConnectorRules", VoiceConnectorId=connector_id, **rules)


def ids(session: dict[str, Any]) -> dict[str, Any]:
    return {name: session[name] for name in ("VoiceConnectorId", "ProxySessionId")}


def proxies(session: dict[str, Any]) -> dict[str, str]:
    """Each participant's proxy number."""
    return {each["PhoneNumber"]: each["ProxyPhoneNumber"] for each in session["Participants"]}


def proxy(session: dict[str, Any]) -> str:
    """The proxy number that both participants have."""
    (number,) = set(proxies(session).values())
    return number
