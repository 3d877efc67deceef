"""What another account has is what nobody has, byte for byte: every operation, every id in it.

An account asks for what its neighbour asked for, with the neighbour's ids in one place or in all
and its own in the others. Then it asks again, with ids there that are nobody's: the answers are the
same, but for the ids.
"""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from connectors import open_connector
from contract.cli_live import receive_call, receive_texts
from contract.test_control_admin import admin, key_of
from house import House
from own_stage import OwnStage
from stage import ORDERED, OTHERS, SHARED, Stage

from maskline.cli.signer import AccessKey
from maskline.domain.e164 import redact
from maskline.model import Shape, load
from maskline.operations import TABLE

VOICE, OURS = "chime-sdk-voice", "maskline"
OPERATIONS = sorted(each for each in TABLE if each[0] in (VOICE, OURS))
LISTS = [
    (service, name)
    for service, name in OPERATIONS
    if name != "ListAccounts"  # which is for the operator alone
    and (shape := load(service).operations[name].input)
    and "NextToken" in shape.members
]
PEOPLE, OTHER_PEOPLE = ["+13035550100", "+13035550101"], ["+13035550102", "+13035550103"]
SHARED_OWN, OWN = "+14155550200", "+14155550201"  # numbers of whoever asks
# Members that hold phone numbers, or ARNs; those of other ids are in NOBODYS.
NUMBER = re.compile(r"\w*PhoneNumber(Id)?s?|Caller|Called")
ARN = re.compile(r"\w*A(RN|rn)")
ID = "0a1b2c3d-0a1b-4c3d-8e5f-0123456789ab"
NOBODYS = {
    "VoiceConnectorId": "z" * 22,
    "FilterValue": "z" * 22,
    "VoiceConnectorGroupId": ID,
    "ProxySessionId": ID,
    "PhoneNumberOrderId": ID,
    "CallId": ID,
    "MessageId": ID,
    "AccountId": "1" * 12,
    "AccessKeyId": "AKIA" + "Z" * 16,
}
# What differs from one answer to the next of the same kind.
CHANGING = re.compile(r'"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"|"\d{4}-\d\d-\d\dT[\d:.]+Z"')

Request = dict[str, Any]
Ids = dict[str, str]
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Tenant:
    """An account, and clients of a key that it has."""

    account_id: str
    key: AccessKey
    clients: dict[str, Any]

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        return getattr(self.clients[service], xform_name(operation))(**arguments)

    def ask(self, service: str, operation: str, arguments: Request) -> tuple[int, str]:
        """The status and the body of the answer, whatever it is."""
        seen: list[Any] = []
        self.clients[service].meta.events.register(
            "after-call", lambda http_response, **_: seen.append(http_response), unique_id="seen"
        )
        try:
            self.call(service, operation, **arguments)
        except ClientError:
            pass
        finally:
            self.clients[service].meta.events.unregister("after-call", unique_id="seen")
        return seen[0].status_code, seen[0].content.decode()


def with_key(house: House, account_id: str, key: AccessKey) -> Tenant:
    return Tenant(account_id, key, {VOICE: house.client(key), OURS: admin(house, key)})


def new_tenant(house: House, shared: list[str], others: list[str]) -> Tenant:
    """A new account with phone numbers."""
    operator = admin(house, house.operator)
    made = operator.create_account(Name="tenant")
    account = {"AccountId": made["Account"]["AccountId"], "CarrierName": "acme"}
    operator.import_phone_numbers(**account, E164PhoneNumbers=shared, Shared=True)
    operator.import_phone_numbers(**account, E164PhoneNumbers=others, Shared=False)
    return with_key(house, account["AccountId"], key_of(made))


@pytest.fixture(scope="module")
def neighbour(house: House) -> Tenant:
    return new_tenant(house, SHARED, [*ORDERED, *OTHERS])


def session_of(tenant: Tenant, people: list[str]) -> dict[str, Any]:
    connector = open_connector(tenant.clients[VOICE])
    asked = {"ParticipantPhoneNumbers": people, "Capabilities": ["Voice", "SMS"]}
    made = tenant.call(VOICE, "CreateProxySession", VoiceConnectorId=connector, **asked)
    session: dict[str, Any] = made["ProxySession"]
    return session


@pytest.fixture(scope="module")
def requests(house: House, neighbour: Tenant) -> dict[tuple[str, str], Request]:
    """Of each operation one that an account could carry out, about people who have talked."""
    for people in (PEOPLE, OTHER_PEOPLE):
        for side in session_of(neighbour, people)["Participants"]:
            receive_call(house, side["PhoneNumber"], side["ProxyPhoneNumber"])
            receive_texts(house, side["PhoneNumber"], side["ProxyPhoneNumber"])
    stages = {
        VOICE: Stage(lambda name, **told: neighbour.call(VOICE, name, **told), newer=True),
        OURS: OwnStage(lambda name, **told: neighbour.call(OURS, name, **told)),
    }
    stages[VOICE].new_order(ORDERED[1])
    return {(service, name): stages[service].request(name, None) for service, name in OPERATIONS}


@pytest.fixture(scope="module")
def curious(house: House) -> Tenant:
    return new_tenant(house, [SHARED_OWN], [OWN])


@pytest.fixture(scope="module")
def own(curious: Tenant) -> Ids:
    """Ids of the account that asks, by members; those that are missing stay nobody's."""
    session = session_of(curious, PEOPLE)
    group = curious.call(VOICE, "CreateVoiceConnectorGroup", Name="mine")["VoiceConnectorGroup"]
    return NOBODYS | {
        "VoiceConnectorId": session["VoiceConnectorId"],
        "VoiceConnectorGroupId": group["VoiceConnectorGroupId"],
        "ProxySessionId": session["ProxySessionId"],
        "AccountId": curious.account_id,
        "AccessKeyId": curious.key.id,
    }


@pytest.fixture(scope="module")
def limited(house: House, curious: Tenant, own: Ids) -> Tenant:
    """The same account by a key that may do all, but to its connector and its group only."""
    mine = f"vc/{own['VoiceConnectorId']}", f"vcg/{own['VoiceConnectorGroupId']}"
    arns = [f"arn:aws:chime:us-east-1:{curious.account_id}:{each}" for each in mine]
    made = curious.call(OURS, "CreateAccessKey", Resources=arns)
    return with_key(house, curious.account_id, key_of(made))


def places_of(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where ids stand in a request."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in items:
            yield from places_of(item, (*at, step))
    elif is_id(name_of(at)):
        yield at


def is_id(name: str) -> bool:
    return name in NOBODYS or bool(NUMBER.fullmatch(name) or ARN.fullmatch(name))


def name_of(at: Place) -> str:
    return next(step for step in reversed(at) if isinstance(step, str))


def put(request: Request, at: Place, ids: Ids, number: str) -> tuple[str, str]:
    """Puts an id, or this number, in a place of a request; what was there, and what is now."""
    *way, last = at
    holder: Any = request
    for step in way:
        holder = holder[step]
    before = holder[last]
    holder[last] = ids.get(name_of(at), number)
    if ARN.fullmatch(name_of(at)):
        holder[last] = f"{before.rpartition('/')[0]}/{ids['VoiceConnectorId']}"
    return before, holder[last]


def variants(request: Request, own: Ids) -> Iterator[tuple[Request, Request, dict[str, str]]]:
    """The request with the neighbour's ids in one place or in all, and own ones elsewhere; the same
    with nobody's there; and what is nobody's by what is the neighbour's."""
    places = [*places_of(request)]
    for foreign in [[at] for at in places] + [places] * (len(places) > 1):
        theirs = copy.deepcopy(request)
        for at in places:
            if at not in foreign:
                put(theirs, at, own, OWN)
        nobodys = copy.deepcopy(theirs)
        told = [put(nobodys, at, NOBODYS, f"+1206555070{n}") for n, at in enumerate(foreign)]
        yield theirs, nobodys, dict(told)


def without_ids(body: str, instead: dict[str, str]) -> Any:
    """An answer with nobody's ids in place of the neighbour's, however they are written."""
    for theirs, nobodys in instead.items():
        body = body.replace(theirs, nobodys)
        if theirs.startswith("+"):
            body = body.replace(redact(theirs), redact(nobodys))
            body = body.replace(theirs.replace("+", "%2B"), nobodys.replace("+", "%2B"))
    return json.loads(CHANGING.sub('"…"', body) or "null")


def id_members(shape: Shape | None) -> set[str]:
    """The names of the members of a shape that are ids, however deep."""
    if shape is None:
        return set()
    inner = [*shape.members.items(), ("", shape.member)]
    return {name for name, _ in inner if is_id(name)}.union(*(id_members(e) for _, e in inner))


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_what_others_have(
    requests: Any, curious: Tenant, limited: Tenant, own: Ids, service: str, operation: str
) -> None:
    request = requests[service, operation]
    told = {name_of(at) for at in places_of(request)}
    assert id_members(load(service).operations[operation].input) <= told
    for theirs, nobodys, instead in variants(request, own):
        for asking in (curious, limited):
            status, body = asking.ask(service, operation, theirs)
            other_status, other_body = asking.ask(service, operation, nobodys)
            told = status, without_ids(body, instead)
            assert told == (other_status, without_ids(other_body, instead)), theirs


@pytest.mark.parametrize(("service", "operation"), LISTS)
def test_places_in_lists_of_others(
    requests: Any, neighbour: Tenant, curious: Tenant, own: Ids, service: str, operation: str
) -> None:
    request = requests[service, operation]
    token = neighbour.call(service, operation, **{**request, "MaxResults": 1})["NextToken"]
    asked = copy.deepcopy(request)
    for at in places_of(request):
        put(asked, at, own, OWN)
    told = [
        curious.ask(service, operation, {**asked, "NextToken": each})
        for each in (token, token[:-1] + "AB"[token.endswith("A")], "x")
    ]
    assert len({*told}) == 1
    assert told[0][0] in (400, 403)
