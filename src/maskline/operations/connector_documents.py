"""Configurations of a voice connector that are checked, kept and given back as they are."""

import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maskline.domain import e164
from maskline.domain.refusals import BadRequest, LimitExceeded, NotFound
from maskline.operations import carriers
from maskline.operations.batches import require_few
from maskline.operations.connectors import require_connector
from maskline.operations.context import Answer, Context, Operation, Request

Document = dict[str, Any]

# The entries that a list can have: Amazon's 20 routes, and for others more than anybody needs.
MOST_ENTRIES = {"Routes": 20, "DNIS": 100, "CallingRegions": 250, "CidrAllowedList": 1000}
LONGEST_DOCUMENT = 65_536  # characters of JSON
MOST_CREDENTIALS = 100  # of a connector
LONGEST_WORD = 256  # characters of a user name or a password


@dataclass(frozen=True)
class Kind:
    """A configuration: its member in requests and answers, and what makes it complete.

    `complete` fills in defaults and raises BadRequest for what cannot be meant. `unless` is the
    kind that must not exist when this one is deleted. `absent` is the answer when nothing was put;
    without it that is a NotFound. `takes_effect` is told what was put, nothing when it is deleted.
    """

    member: str
    complete: Callable[[Document], Document] = lambda document: document
    unless: str | None = None
    absent: Document | None = None
    takes_effect: Callable[[Context, str, Document], None] = lambda context, connector, given: None

    def put(self, context: Context, request: Request) -> Answer:
        connector_id = request["VoiceConnectorId"]
        require_connector(context, connector_id)
        require_small(self.member, request[self.member])
        document = self.complete(request[self.member])
        context.tx.run(
            "put_connector_document",
            voice_connector_id=connector_id,
            kind=self.member,
            document=json.dumps(document),
        )
        self.takes_effect(context, connector_id, request[self.member])
        return {self.member: document}

    def get(self, context: Context, request: Request) -> Answer:
        connector_id = request["VoiceConnectorId"]
        require_connector(context, connector_id)
        document = find(context, connector_id, self.member)
        if document is None:
            document = self.absent
        if document is None:
            raise NotFound(f"VoiceConnector with Id '{connector_id}' has no {self.member}")
        return {self.member: document}

    def delete(self, context: Context, request: Request) -> Answer:
        """Deleting what is not there is no error."""
        connector_id = request["VoiceConnectorId"]
        require_connector(context, connector_id)
        if self.unless and find(context, connector_id, self.unless):
            raise BadRequest(f"Delete the {self.unless} of the VoiceConnector first")
        context.tx.run(
            "delete_connector_document", voice_connector_id=connector_id, kind=self.member
        )
        self.takes_effect(context, connector_id, {})
        return {}


def require_small(kind: str, document: Document) -> None:
    """Raises BadRequest for a configuration that is larger than any has reason to be."""
    for member, most in MOST_ENTRIES.items():
        if (entries := len(document.get(member) or ())) > most:
            raise BadRequest(f"{kind} can have at most {most} {member}, not {entries}")
    if len(json.dumps(document)) > LONGEST_DOCUMENT:
        raise BadRequest(f"{kind} can have at most {LONGEST_DOCUMENT} characters as JSON")


def find(context: Context, connector_id: str, kind: str) -> Document | None:
    row = context.tx.one("get_connector_document", voice_connector_id=connector_id, kind=kind)
    document: Document | None = json.loads(row["document"]) if row else None
    return document


def complete_termination(document: Document) -> Document:
    for network in document.get("CidrAllowedList") or ():
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise BadRequest(f"'{network}' is not a network in CIDR form") from None
    found: Document = {"CpsLimit": 1, "Disabled": False, **document}
    if found.get("DefaultPhoneNumber"):
        found["DefaultPhoneNumber"] = e164.normalise(found["DefaultPhoneNumber"])
    return found


def limit_calls(context: Context, connector_id: str, termination: Document) -> None:
    """A limit of calls a second that was given holds; the default would stop who gave none."""
    context.tx.run(
        "put_cps_limit",
        voice_connector_id=connector_id,
        cps_limit=None if termination.get("Disabled") else termination.get("CpsLimit"),
    )


def complete_origination(document: Document) -> Document:
    if "Routes" not in document and "Disabled" not in document:
        raise BadRequest("An Origination needs Routes, Disabled or both")
    routes = [{"Port": 5060, **route} for route in document.get("Routes") or ()]
    return {"Disabled": False, **document, "Routes": routes}


def complete_emergency(document: Document) -> Document:
    return {"DNIS": document.get("DNIS") or []}


EMERGENCY = "EmergencyCallingConfiguration"
TERMINATION = Kind("Termination", complete_termination, unless=EMERGENCY, takes_effect=limit_calls)
ORIGINATION = Kind("Origination", complete_origination, unless=EMERGENCY)
LOGGING = Kind(
    "LoggingConfiguration",
    lambda document: {"EnableSIPLogs": False, "EnableMediaMetricLogs": False, **document},
    absent={"EnableSIPLogs": False, "EnableMediaMetricLogs": False},
)
STREAMING = Kind("StreamingConfiguration")
EMERGENCY_CALLING = Kind(EMERGENCY, complete_emergency)
EXTERNAL_SYSTEMS = Kind("ExternalSystemsConfiguration")

KINDS = (TERMINATION, ORIGINATION, STREAMING, EMERGENCY_CALLING, EXTERNAL_SYSTEMS, LOGGING)


def put_voice_connector_external_systems_configuration(
    context: Context, request: Request
) -> Answer:
    """As the others, but its members stand in the request themselves."""
    members = ("SessionBorderControllerTypes", "ContactCenterSystemTypes")
    document = {name: request[name] for name in members if request.get(name)}
    return EXTERNAL_SYSTEMS.put(context, {**request, EXTERNAL_SYSTEMS.member: document})


def get_voice_connector_termination_health(context: Context, request: Request) -> Answer:
    """When a carrier's trunk was last seen to be up. Where that is, is the operator's to know."""
    TERMINATION.get(context, request)
    return {"TerminationHealth": {"Timestamp": carriers.last_seen_up(context)}}


def put_voice_connector_termination_credentials(context: Context, request: Request) -> Answer:
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    credentials = request.get("Credentials") or []
    require_few(credentials)
    rows = [credential_row(context, connector_id, credential) for credential in credentials]
    context.tx.run_each("put_termination_credential", rows)
    if len(usernames(context, connector_id)) > MOST_CREDENTIALS:
        raise LimitExceeded(f"A VoiceConnector can have {MOST_CREDENTIALS} termination credentials")
    return {}


def credential_row(
    context: Context, connector_id: str, credential: dict[str, str | None]
) -> dict[str, Any]:
    username, password = credential.get("Username"), credential.get("Password")
    if not username or not password:
        raise BadRequest("A credential needs a Username and a Password")
    if max(len(username), len(password)) > LONGEST_WORD:
        raise BadRequest(f"A Username and a Password have at most {LONGEST_WORD} characters")
    return {
        "voice_connector_id": connector_id,
        "username": username,
        "sealed_password": context.tx.cipher.seal(password, f"{connector_id}/{username}"),
    }


def list_voice_connector_termination_credentials(context: Context, request: Request) -> Answer:
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    return {"Usernames": usernames(context, connector_id)}


def usernames(context: Context, connector_id: str) -> list[str]:
    found = context.tx.all("list_termination_credentials", voice_connector_id=connector_id)
    return [row["username"] for row in found]


def delete_voice_connector_termination_credentials(context: Context, request: Request) -> Answer:
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    require_few(request["Usernames"])
    context.tx.run_each(
        "delete_termination_credential",
        [{"voice_connector_id": connector_id, "username": each} for each in request["Usernames"]],
    )
    return {}


PUTS: dict[str, Operation] = {
    f"PutVoiceConnector{kind.member}": kind.put for kind in KINDS if kind is not EXTERNAL_SYSTEMS
}
GETS: dict[str, Operation] = {f"GetVoiceConnector{kind.member}": kind.get for kind in KINDS}
DELETES: dict[str, Operation] = {
    f"DeleteVoiceConnector{kind.member}": kind.delete for kind in KINDS if kind is not LOGGING
}
