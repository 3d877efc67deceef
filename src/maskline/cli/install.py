"""`maskline install-aws-model`: our operations in the user's own AWS CLI and SDKs."""

import json
import sys
from pathlib import Path

from maskline.cli.commands import Command, Values
from maskline.cli.faults import Fault
from maskline.cli.globals import Globals
from maskline.cli.options import Option

MODELS = Path("~/.aws/models")  # where botocore looks before its own models


def run(values: Values, bare: list[str], globals_: Globals) -> int:
    """Write the models; the exit code."""
    directory = Path(str(values.get("directory", MODELS))).expanduser()
    for path, document in _documents(directory):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise Fault(f"Unable to write {path}: {error}") from None
        sys.stdout.write(f"wrote {path}\n")
    url = globals_.profile.endpoint(None, "chime") or globals_.profile.beside.endpoint()
    sys.stdout.write(f"try: aws chime list-voice-connectors --endpoint-url {url}\n")
    return 0


def _documents(directory: Path) -> list[tuple[Path, dict[str, object]]]:
    """Which file is to hold which model.

    The sessions' model takes the place of what is left of `chime` in newer AWS clients: same
    service, same version, so that their own rules for endpoints still find it.
    """
    from maskline.model import document

    chime, maskline = document("chime-sdk-voice"), document("maskline")
    version = "2018-05-01"
    chime["metadata"] |= {
        "serviceId": "Chime",
        "uid": f"chime-{version}",
        "apiVersion": version,
        "endpointPrefix": "chime",
    }
    own = str(maskline["metadata"]["apiVersion"])
    return [
        (directory / "chime" / version / "service-2.json", chime),
        (directory / "maskline" / own / "service-2.json", maskline),
    ]


COMMAND = Command(
    "install-aws-model",
    "makes `aws chime` work again in the AWS CLI and the AWS SDK for Python",
    (
        "Newer AWS clients have lost the proxy operations of their chime command. This puts the"
        " service model of Maskline where those clients look first, so that aws chime"
        " create-proxy-session and the others are there again, and boto3.client('chime') has"
        " them too. The operations of maskline admin become aws maskline.",
        "The other operations of AWS's own chime command are hidden by this. To undo it, delete"
        " the files that are named.",
    ),
    (
        Option(
            "directory",
            "directory",
            documentation="Where to write the models. Left out, ~/.aws/models.",
        ),
    ),
    run,
)
