"""What customers' programs do, written anew with the same SDKs: none of them knows of us."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import javascript
from databases import new_store_url
from house import House

ANN, BEN = "+12065550100", "+14015550101"
SHARED = ["+12065550190", "+12065550191", "+14015550192", "+14015550193", "+14015550194"]
TO_ORDER = ["+12065550180"]
JAVA = Path(__file__).parent / "java"
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def house(request: pytest.FixtureRequest, costly_database: str, tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, new_store_url(request, costly_database, tmp_path)).open() as house:
        house.import_numbers(*SHARED)
        house.import_numbers(*TO_ORDER, shared=False)
        yield house


@pytest.fixture
def client(house: House) -> Any:
    return house.client()


@pytest.fixture
def connector(client: Any) -> str:
    made = client.create_voice_connector(Name="shop", RequireEncryption=False)
    connector_id: str = made["VoiceConnector"]["VoiceConnectorId"]
    return connector_id


def run(script: str, house: House, question: Any) -> Any:
    quiet = {"AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1"}
    return javascript.run([script, house.url], question, house.environment() | quiet)


def sessions(client: Any, connector: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.list_proxy_sessions(VoiceConnectorId=connector)[
        "ProxySessions"
    ]
    return found


def test_awss_own_sample_which_sends_all_twice(house: House, client: Any, connector: str) -> None:
    seen = run("demo.mjs", house, {"connector": connector, "numbers": [ANN, BEN]})
    assert seen["put"][0] == seen["put"][1]
    assert seen["put"][0]["Proxy"]["DefaultSessionExpiryMinutes"] == 60
    assert seen["missing"] == "MissingRequiredParameter"
    found = sessions(client, connector)
    assert len(found) == 2  # of one call
    # The sample shows the first participant's number to both people, and wants it from the area of
    # the second.
    numbers = {each["Participants"][0]["ProxyPhoneNumber"] for each in found}
    assert len(numbers) == 2
    assert all(number.startswith("+1401") for number in numbers)
    answered = {each["ProxySession"]["ProxySessionId"] for each in seen["created"]}
    closed = {each["ProxySessionId"] for each in found if each["Status"] == "Closed"}
    assert closed == answered


def test_a_client_that_signs_by_hand_and_reads_all_as_json(house: House) -> None:
    seen = run("controller.mjs", house, {"numbers": [ANN, BEN]})
    statuses = {name: status for name, (status, _) in seen.items()}
    assert statuses == {
        "made": 201,
        "early": 404,
        "put": 200,
        "created": 201,
        "listed": 200,
        "deleted": 204,
        "nowhere": 404,
    }
    assert seen["early"][1]["Code"] == seen["nowhere"][1]["Code"] == "NotFound"
    assert seen["listed"][1]["ProxySessions"] == [seen["created"][1]["ProxySession"]]


def test_a_construct_from_its_order_to_its_end(house: House) -> None:
    assert run("construct.mjs", house, None) == {
        "seen": ["Processing", "Successful"],
        "errors": [],
        "conflict": "ConflictException",
        "status": "ReleaseInProgress",
        "gone": "NotFoundException",
    }


def test_a_shop_in_java(house: House, client: Any, connector: str) -> None:
    """It puts the configuration before every session, which must not disturb those that run."""
    if shutil.which("javac") is None:
        pytest.skip("the shop's program needs a JDK")
    words = [house.url, connector, ANN, BEN]
    shown = [java(house, *words) for _ in range(2)]
    found = sessions(client, connector)
    assert [each["Status"] for each in found] == ["Open", "Open"]
    assert shown == [each["Participants"][0]["ProxyPhoneNumber"] for each in found[::-1]]
    assert len(set(shown)) == 2


def java(house: House, *words: str) -> str:
    done = subprocess.run(
        ["java", "-XX:TieredStopAtLevel=1", JAVA / "Shopper.java", *words],
        env=house.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def of_the_readme(language: str, house: House) -> str:
    """Its first program in a language, as it stands there but for the address."""
    shown = re.search(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    return shown[1].replace("http://127.0.0.1:8080", house.url)


def test_the_readmes_programs(house: House, client: Any, connector: str) -> None:
    javascript.install()
    client.put_voice_connector_proxy(
        VoiceConnectorId=connector,
        DefaultSessionExpiryMinutes=60,
        PhoneNumberPoolCountries=["US"],
    )

    def printed(*command: str) -> str:
        return subprocess.run(
            command,
            cwd=javascript.HOME,
            env=house.environment() | {"VC": connector},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    proxy = printed(sys.executable, "-c", of_the_readme("python", house)).strip()
    assert proxy in SHARED
    listed = printed("node", "--input-type=module", "--eval", of_the_readme("js", house))
    (found,) = sessions(client, connector)
    assert found["ProxySessionId"] in listed
    assert found["Participants"][0]["ProxyPhoneNumber"] == proxy
