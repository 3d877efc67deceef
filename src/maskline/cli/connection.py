"""Which server to ask, and with which key: the client that the user's settings describe."""

import sys

from maskline.cli.client import MAX_ATTEMPTS, Client
from maskline.cli.credentials import find_key
from maskline.cli.faults import BadConfiguration, Fault
from maskline.cli.globals import Globals, whole_number

LEGAL_REGION_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
)
TIMEOUT = 60.0


def connect(globals_: Globals, service: str) -> Client:
    """The client for a service (`chime`, `chime_sdk_voice` or `maskline`). Raises Fault."""
    profile = globals_.profile
    region = _legal_region(profile.region(globals_.text("region")))
    asked = profile.endpoint(globals_.text("endpoint_url"), service)
    signed = globals_.values.get("sign_request", True)
    return Client(
        endpoint=asked or profile.beside.endpoint(),
        region=region,
        key=find_key(profile, prefer_beside=asked is None) if signed else None,
        connect_timeout=globals_.values.get("connect_timeout", TIMEOUT),
        read_timeout=globals_.values.get("read_timeout", TIMEOUT),
        verify=globals_.values.get("verify_ssl", True),
        pinned=None if asked else profile.beside.certificate(),
        ca_bundle=globals_.text("ca_bundle") or profile.setting("ca_bundle", "AWS_CA_BUNDLE"),
        max_attempts=_attempts(globals_),
        trace=_trace if globals_.debug else lambda line: None,
    )


def _trace(line: str) -> None:
    sys.stderr.write(f"DEBUG {line}\n")


def _legal_region(region: str) -> str:
    legal = (
        len(region) <= 63
        and set(region) <= LEGAL_REGION_CHARACTERS
        and region.strip("-") == region
        and not region.isdigit()
    )
    if not legal:
        raise Fault(f"Provided region_name '{region}' doesn't match a supported format.")
    return region


def _attempts(globals_: Globals) -> int:
    """How often a request is sent at most."""
    text = globals_.profile.setting("max_attempts", "AWS_MAX_ATTEMPTS")
    attempts = MAX_ATTEMPTS if text is None else whole_number(text)
    if attempts < 1:
        raise BadConfiguration(f"max_attempts must be at least 1, not {attempts}")
    return attempts
