"""One call of an operation: parameters in, the answer's members out."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from maskline.cli import wire
from maskline.cli.client import Answer, Client, worth_repeating
from maskline.cli.faults import BadConfiguration, Fault, ServerError
from maskline.cli.profile import Profile

if TYPE_CHECKING:
    from maskline.model import Operation

SKEW_LIMIT = 240  # seconds; the server refuses from 300 on
TIMESTAMP_FORMATS: dict[str, wire.Timestamp] = {
    "wire": wire.as_on_the_wire,
    "none": wire.as_on_the_wire,  # what AWS CLI 1 called it
    "iso8601": wire.as_iso8601,
}


def timestamp_format(profile: Profile) -> wire.Timestamp:
    """How timestamps are shown: as the man pages show them unless the user's files say iso8601."""
    name = profile.setting("cli_timestamp_format") or "wire"
    if name not in TIMESTAMP_FORMATS:
        raise BadConfiguration(
            f'Unknown cli_timestamp_format value: {name}, valid values are "wire" or "iso8601"'
        )
    return TIMESTAMP_FORMATS[name]


def call(
    client: Client,
    operation: "Operation",
    parameters: dict[str, Any],
    timestamp: wire.Timestamp = wire.as_on_the_wire,
) -> dict[str, Any]:
    """Call an operation; the parameters are validated already.

    Raises ServerError where the server says no, Fault where it cannot be reached or understood.
    """
    answer = client.send(wire.build(operation, parameters))
    if answer.status >= 300:
        raise _server_error(client, operation.name, answer)
    try:
        return wire.read(operation.output, answer.body, timestamp)
    except ValueError as error:
        raise Fault(str(error)) from None


def _server_error(client: Client, operation: str, answer: Answer) -> ServerError:
    error = wire.read_error(answer.status, answer.headers, answer.body)
    retries = answer.attempts - 1 if worth_repeating(answer) else None
    fault = ServerError(error.name, error.message, operation, retries)
    fault.hint = _hint_at_number(error.message) or _hint_at_signature(client, error.name, answer)
    return fault


def _hint_at_number(message: str) -> str:
    """How phone numbers are written, where one is not."""
    if PHONE_NUMBER not in message:
        return ""
    return "a phone number is +, country code and number, with nothing between: +12065550100"


PHONE_NUMBER = r"^\+?[1-9]\d{1,14}$"  # what the service model says of one


def _hint_at_signature(client: Client, name: str, answer: Answer) -> str:
    """What a newcomer should look at when the server does not accept a signature."""
    if answer.status not in (401, 403):
        return ""
    skew = _skew(answer)
    if abs(skew) > SKEW_LIMIT:
        way = "ahead of" if skew > 0 else "behind"
        return f"the clock of this machine is {abs(skew) // 60} minutes {way} the server's; set it"
    if client.key and name in REFUSED_KEYS:
        return (
            f"the request was signed with key {client.key.id} (from {client.key.source}) for"
            f" region {client.region}; is it a key of the server at {client.endpoint}?"
        )
    return ""


REFUSED_KEYS = {
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidClientTokenIdException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnauthorizedClientException",
    "UnrecognizedClientException",
}


def _skew(answer: Answer) -> int:
    """By how many seconds this machine's clock is ahead of the server's; 0 where unknown."""
    try:
        there = parsedate_to_datetime(answer.headers.get("date", ""))
        return int((datetime.now(UTC) - there).total_seconds())
    except (TypeError, ValueError):
        return 0
