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
from connectors import open_connector
from contract.cli_live import receive_call, receive_texts
from contract.walk import stage
from contract.web_clients import CLIENTS
from databases import ALL_DATABASES, DATABASES, new_store_url
from house import House

from maskline.model import DATA, document, load
from maskline.model.support import notes
from maskline.store import Transaction

WALK = Path(__file__).parent / "walk"
PLAY, REFUSALS = WALK / "play.py", WALK / "refusals.py"
VOICE, OURS = "chime-sdk-voice", "maskline"
FRESH = 16  # accounts for what an account can do once
PEOPLE = ["+13035550100", "+13035550101"]

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
    OURS: sys.executable,
}
# Every model on both databases shows little more and takes twice as long.
DATABASE_OF = {VOICE: "postgresql", "chime": "sqlite", OURS: "postgresql"}
LEAST_CASES = {VOICE: 2000, "chime": 1700, OURS: 800}
NOT_OF_OLD: dict[str, set[str]] = {
    VOICE: set(),
    OURS: set(),
    "chime": {
        "DeleteVoiceConnectorExternalSystemsConfiguration",
        "GetVoiceConnectorExternalSystemsConfiguration",
        "ListAvailableVoiceConnectorRegions",
        "PutVoiceConnectorExternalSystemsConfiguration",
    },
}


@pytest.fixture(params=["its database", "the other"] if ALL_DATABASES else ["its database"])
def house(request: pytest.FixtureRequest, tmp_path: Path, service: str) -> Iterator[House]:
    database = DATABASE_OF[service]
    if request.param == "the other":
        (database,) = {*DATABASES} - {database}
    url = new_store_url(request, database, tmp_path)
    with House(tmp_path, url).open() as house:
        yield house


def walk(house: House, service: str) -> dict[str, Any]:
    house.import_numbers(*stage.SHARED)
    house.import_numbers(*stage.ORDERED, *stage.OTHERS, shared=False)
    if service == OURS:
        people_talk(house)
    keys = [house.operator, *(house.new_tenant() for _ in range(FRESH))]
    question = {
        "service": service,
        "url": house.url,
        "keys": [[key.id, key.secret] for key in keys],
        "widened": widened(service),
        "newest": document(OURS if service == OURS else VOICE),
        "models": str(DATA),
    }
    return played(PLAY, PYTHONS[service], house, question)


def people_talk(house: House) -> None:
    """A call and a text each way in one session, the text in vain and answered by STOP; and a
    recording of the later call."""
    client = house.client()
    ids = {"VoiceConnectorId": open_connector(client)}
    asked = {"ParticipantPhoneNumbers": PEOPLE, "Capabilities": ["Voice", "SMS"]}
    session = client.create_proxy_session(**ids, **asked)["ProxySession"]
    for side in session["Participants"]:
        numbers = side["PhoneNumber"], side["ProxyPhoneNumber"]
        receive_call(house, *numbers)
        receive_texts(house, *numbers)
    house.write(record_latest_call)


def record_latest_call(tx: Transaction) -> None:
    (row, *_) = tx.all("list_live_calls", node="")
    heard = {"caller_address": "", "caller_port": 2, "called_address": "", "called_port": 4}
    tx.run("insert_recording", call_id=row["call_id"], **heard, begun_at=0)
    tx.run("finish_recording", call_id=row["call_id"], milliseconds=2500, finished_at=2500)


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


def widened(service: str) -> dict[str, Any]:
    """The shapes for which we take more than the model of the client says."""
    if service == OURS:
        return {}
    path = DATA / VOICE / load(VOICE).version / "overrides.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_bytes())["shapes"]
    for facts in found.values():
        facts.pop("members", None)  # a client sends none but its own
    return found | (OLD_LIMITS if service == "chime" else {})


@pytest.mark.parametrize("service", PYTHONS)
def test_the_model_walked(house: House, service: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = walk(house, service)
    cases = sum(report["cases"].values())
    with capsys.disabled():
        print(f"\n{service}: {cases} cases of {len(report['cases'])} operations walked")
    assert (report["faults"], report["unused"]) == ([], [])
    served = load(OURS if service == OURS else VOICE).operations.keys()
    assert report["cases"].keys() == served - NOT_OF_OLD[service]
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
