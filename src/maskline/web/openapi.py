"""The OpenAPI document of what this server offers, as it is given out."""

from functools import cache
from http import HTTPStatus

import msgspec

from maskline import __version__
from maskline.model import load, openapi
from maskline.web import answers, faults
from maskline.web.pipeline import SERVICES
from maskline.web.protocol import TIMEOUT

PATH = "/openapi.json"
DESCRIPTION = (
    "Proxy phone sessions: two people call and text through a number in between. The operations of"
    " chime-sdk-voice are those of Amazon Chime SDK Voice, the others are our own."
)
# What any operation may answer with because of how it was asked.
COMMON = (
    faults.MissingSignature,
    faults.IncompleteSignature,
    faults.InvalidSignature,
    faults.UnknownClient,
    faults.RequestExpired,
    faults.UnknownOperation,
    faults.BodyTooLarge,
)


@cache
def document() -> bytes:
    info = {
        "title": "Maskline",
        "version": __version__,
        "description": DESCRIPTION,
        "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    }
    found = openapi.document([load(name) for name in SERVICES], info, common())
    return msgspec.json.encode(found)


def common() -> dict[int, list[str]]:
    """The names of errors that are no operation's, by status; and of those to be tried again later,
    which not every operation lists."""
    found = {
        HTTPStatus.REQUEST_TIMEOUT: [TIMEOUT],
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: [answers.BAD_REQUEST],
        HTTPStatus.TOO_MANY_REQUESTS: [answers.THROTTLED],
        HTTPStatus.SERVICE_UNAVAILABLE: [answers.UNAVAILABLE],
    }
    for fault in COMMON:
        found.setdefault(HTTPStatus(fault.status), []).append(fault.name)
    return {status.value: names for status, names in found.items()}
