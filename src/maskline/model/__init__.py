"""The service models: what crosses the wire, as data, and the readings of it.

load("chime-sdk-voice").operations["CreateProxySession"].input.members["Capabilities"]
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from maskline.model.service import Operation, Service, Shape

__all__ = ["Operation", "Service", "Shape", "document", "load"]

DATA = Path(__file__).parent / "data"


@cache
def load(service_name: str) -> Service:
    """The newest model of a service: "chime-sdk-voice", "maskline" or "switch"."""
    return Service(service_name, document(service_name))


def document(service_name: str) -> dict[str, Any]:
    """A service's model as a document of its own, with what `overrides.json` beside it changes.

    An override replaces facts about a shape; null takes a fact away.
    """
    directory = max((DATA / service_name).iterdir())
    found: dict[str, Any] = json.loads((directory / "service-2.json").read_bytes())
    overrides = directory / "overrides.json"
    if overrides.exists():
        for name, changes in json.loads(overrides.read_bytes())["shapes"].items():
            facts = found["shapes"][name] | changes
            found["shapes"][name] = {k: v for k, v in facts.items() if v is not None}
    return found
