"""Parameters given as one document: `--cli-input-json` and `--cli-input-yaml`."""

import json
from typing import Any

from maskline.cli import paramfile
from maskline.cli.faults import BadParameters, BadValue

JSON, YAML = "cli-input-json", "cli-input-yaml"


def read_document(values: dict[str, Any]) -> dict[str, Any]:
    """The parameters in the document given, none without one. Raises BadParameters."""
    given = [name for name in (JSON, YAML) if name in values]
    if not given:
        return {}
    if len(given) > 1:
        raise BadParameters("Only one --cli-input- parameter may be specified.")
    name = given[0]
    text = paramfile.load(f"--{name}", values[name])
    document = _json(text) if name == JSON else _yaml(text)
    if not isinstance(document, dict):
        raise BadValue(f"--{name}", f"Invalid type: expecting map, received {type(document)}")
    return document


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadValue(JSON, "Invalid JSON received.", f"{error}") from None
    except (ValueError, RecursionError):
        raise BadValue(JSON, "Invalid JSON received.") from None


def _yaml(text: str | bytes) -> Any:
    from ruamel.yaml import YAML as Reader
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return Reader(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        raise BadValue(YAML, "Invalid YAML received.", _place(error)) from None
    except (YAMLError, ValueError, RecursionError):
        raise BadValue(YAML, "Invalid YAML received.") from None


def _place(error: Any) -> str:
    """Where the parser of YAML stumbled. What it says may hold a value, so it is not told."""
    mark = error.problem_mark
    return f"look at line {mark.line + 1} column {mark.column + 1}" if mark else ""
