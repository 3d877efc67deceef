"""The contract, walked: every member and constraint of every operation's input, right and wrong.

The walk itself (`walk/play.py`) runs in the Python of an unmodified client and knows nothing of us.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.walk import stage
from contract.web_clients import CLIENTS
from databases import new_store_url
from house import House

from maskline.model import DATA, document, load
from maskline.model.support import notes

WALK = Path(__file__).parent / "walk"
PLAY, REFUSALS = WALK / "play.py", WALK / "refusals.py"
VOICE = "chime-sdk-voice"
FRESH = 16  # accounts for what an account can do once

# Where the old service took less than the new one does; what it took is right here too.
OLD_LIMITS: dict[str, Any] = {
    "PhoneNumberStatus": {"enum": None},
    "ResultMax": {"max": 100},
    "StreamingNotificationTarget": {"required": None},
    "TagValue": {"min": 0},
    "VoiceConnectorItem": {"required": ["VoiceConnectorId"]},
}
PYTHONS = {
    VOICE: sys.executable,
    "chime": str(CLIENTS / "boto3-1.37.1" / "bin" / "python"),
}
# Both models on both databases would show little more and take twice as long.
DATABASE_OF = {VOICE: "postgresql", "chime": "sqlite"}
LEAST_CASES = {VOICE: 2000, "chime": 1700}
NOT_OF_OLD = {
    VOICE: set(),
    "chime": {
        "DeleteVoiceConnectorExternalSystemsConfiguration",
        "GetVoiceConnectorExternalSystemsConfiguration",
        "ListAvailableVoiceConnectorRegions",
        "PutVoiceConnectorExternalSystemsConfiguration",
    },
}


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path, service: str) -> Iterator[House]:
    url = new_store_url(request, DATABASE_OF[service], tmp_path)
    with House(tmp_path, url).open() as house:
        yield house


def walk(house: House, service: str) -> dict[str, Any]:
    house.import_numbers(*stage.SHARED)
    house.import_numbers(*stage.ORDERED, *stage.OTHERS, shared=False)
    keys = [house.operator, *(house.new_tenant() for _ in range(FRESH))]
    question = {
        "service": service,
        "url": house.url,
        "keys": [[key.id, key.secret] for key in keys],
        "widened": overrides() | (OLD_LIMITS if service == "chime" else {}),
        "newest": document(VOICE),
    }
    return played(PLAY, PYTHONS[service], house, question)


def played(script: Path, python: str, house: House, question: dict[str, Any]) -> dict[str, Any]:
    """What a script says that runs in the Python of a client."""
    if not Path(python).exists():
        pytest.skip("tools/client-venvs installs AWS's clients")
    done = subprocess.run(
        [python, "-W", "ignore", str(script)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        env=house.environment(),
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def overrides() -> dict[str, Any]:
    path = DATA / VOICE / load(VOICE).version / "overrides.json"
    found: dict[str, Any] = json.loads(path.read_bytes())["shapes"]
    return found


@pytest.mark.parametrize("service", PYTHONS)
def test_the_model_walked(house: House, service: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = walk(house, service)
    cases = sum(report["cases"].values())
    with capsys.disabled():
        print(f"\n{service}: {cases} cases of {len(report['cases'])} operations walked")
    assert (report["faults"], report["unused"]) == ([], [])
    assert report["cases"].keys() == load(VOICE).operations.keys() - NOT_OF_OLD[service]
    assert cases > LEAST_CASES[service]


@pytest.mark.parametrize(("service", "least"), [(VOICE, 75), ("chime", 160)])
def test_every_other_operation_is_refused_with_a_reason(
    house: House, service: str, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    question = {
        "services": [VOICE, "chime"],
        "url": house.url,
        "key": [house.operator.id, house.operator.secret],
        "served": list(load(VOICE).operations),
        "offered": notes()["offered"],
    }
    report = played(REFUSALS, PYTHONS[service], house, question)
    with capsys.disabled():
        print(f"\n{report['asked']} operations refused, each with its reason")
    assert report["faults"] == []
    assert report["asked"] >= least
