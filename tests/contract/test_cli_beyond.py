"""What the command line has beyond the original: hints, watch, CSV, completion, our AWS model."""

import json
import os
import subprocess
from pathlib import Path

import botocore.session
import pytest
from contract.cli_cases import CONNECTOR, SESSION, answers
from contract.cli_clients import CLIENTS
from contract.cli_server import Answer, PlayedServer
from house import House
from ports import free_port

from maskline.__main__ import main

EIGHT = [
    "create-proxy-session",
    "delete-proxy-session",
    "delete-voice-connector-proxy",
    "get-proxy-session",
    "get-voice-connector-proxy",
    "list-proxy-sessions",
    "put-voice-connector-proxy",
    "update-proxy-session",
]

Output = pytest.CaptureFixture[str]


# --- hints


def hint(output: Output, *words: str) -> str:
    assert main(list(words)) in (252, 253, 254, 255)
    lines = output.readouterr().err.splitlines()
    return next((line for line in lines if line.startswith("hint: ")), "")


LIST = ["chime", "list-voice-connectors"]
REFUSED = {"x-amzn-ErrorType": "InvalidSignatureException"}


def test_a_hint_at_the_clock(played: PlayedServer, capsys: Output) -> None:
    then = {"Date": "Mon, 01 Jan 2001 00:00:00 GMT"}
    played.play(Answer(403, b"{}", {**REFUSED, **then}))
    assert hint(capsys, *LIST).startswith("hint: the clock of this machine is ")
    later = {"Date": "Fri, 01 Jan 2100 00:00:00 GMT"}
    played.play(Answer(403, b"{}", {**REFUSED, **later}))
    assert "minutes behind the server's; set it" in hint(capsys, *LIST)


def test_a_hint_at_the_key(played: PlayedServer, capsys: Output) -> None:
    played.play(Answer(403, b"{}", REFUSED))
    assert hint(capsys, *LIST) == (
        "hint: the request was signed with key AKIDEXAMPLE (from env) for region us-east-1;"
        f" is it a key of the server at {played.url}?"
    )


def test_no_hint_where_there_is_nothing_to_say(played: PlayedServer, capsys: Output) -> None:
    played.play(*answers(("ForbiddenException",)))
    assert hint(capsys, *LIST) == ""


def test_hints_where_there_is_no_server(played: PlayedServer, capsys: Output) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert "is the server running?" in hint(capsys, *LIST, "--endpoint-url", url)


def test_a_hint_at_an_endpoint_that_is_none(played: PlayedServer, capsys: Output) -> None:
    assert "http://127.0.0.1:8080" in hint(capsys, *LIST, "--endpoint-url", "127.0.0.1:8080")


def test_a_hint_where_no_tls_is_spoken(played: PlayedServer, capsys: Output) -> None:
    url = played.url.replace("http:", "https:")
    assert "begins with http://" in hint(capsys, *LIST, "--endpoint-url", url)


@pytest.mark.parametrize(
    "words",
    [
        f"chime create-proxy-session --voice-connector-id {CONNECTOR} --capabilities Voice"
        " --participant-phone-numbers 206-5550100 +14015550101",
        "admin import-phone-numbers --carrier-name acme --e164-phone-numbers 206-5550100",
    ],
    ids=["chime", "admin"],
)
def test_a_hint_at_a_number_in_no_form(live: House, capsys: Output, words: str) -> None:
    assert "with nothing between: +12065550100" in hint(capsys, *words.split())


def test_a_hint_at_a_misspelt_option(played: PlayedServer, capsys: Output) -> None:
    assert main([*LIST, "--max-result", "5", "--nxt-token", "x"]) == 252
    assert "hint: did you mean --next-token instead of --nxt-token?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("configure", "one of chime, chime-sdk-voice, admin, serve, migrate, export, import,"),
        ("completion tcsh", "one of bash, zsh, fish"),
        ("chime list-voice-connectors --output xml", "one of json, text, table, yaml,"),
        ("chime frobnicate", ""),  # of sixty operations
    ],
)
def test_a_hint_at_the_words_that_there_are(capsys: Output, words: str, told: str) -> None:
    assert hint(capsys, *words.split()).removeprefix("hint: ").startswith(told)
    assert bool(told) == bool(hint(capsys, *words.split()))


@pytest.mark.parametrize(
    ("option", "document", "told"),
    [
        ("json", '{"Name":}', "Expecting value: line 1 column 9 (char 8)"),
        ("yaml", "Name: [1", "look at line 1 column 9"),
    ],
)
def test_a_hint_at_the_place_in_a_document(
    capsys: Output, option: str, document: str, told: str
) -> None:
    words = ("chime", "create-voice-connector", f"--cli-input-{option}", document)
    assert hint(capsys, *words) == f"hint: {told}"


# --- watch


def test_sessions_are_watched(
    played: PlayedServer, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.play(*answers(("sessions", "no-sessions")))
    rounds = iter([None, None])

    def wait(seconds: float) -> None:
        if next(rounds, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", wait)
    words = ["chime", "list-proxy-sessions", "--voice-connector-id", CONNECTOR, "--status", "Open"]
    assert main([*words, "--watch"]) == 0
    out = capsys.readouterr().out
    assert "2 proxy sessions at" in out
    assert "0 proxy sessions at" in out
    assert "+12065550100" in out
    assert {seen.target for seen in played.seen} == {
        f"/voice-connectors/{CONNECTOR}/proxy-sessions?status=Open"
    }


def test_watching_ends_with_a_refusal(played: PlayedServer, capsys: Output) -> None:
    played.play(*answers(("NotFoundException",)))
    words = ["chime", "list-proxy-sessions", "--voice-connector-id", CONNECTOR, "--watch"]
    assert main(words) == 254
    assert "NotFoundException" in capsys.readouterr().err


# --- CSV


IMPORT = ["admin", "import-phone-numbers", "--carrier-name", "acme", "--from-csv", "numbers.csv"]


def test_numbers_are_imported_in_portions(played: PlayedServer, capsys: Output) -> None:
    numbers = [f"+1206555{n:04}" for n in range(2500)]
    Path("numbers.csv").write_text("Number;x\n" + "\n".join(numbers) + "\n")
    refused = {"PhoneNumberErrors": [{"PhoneNumberId": numbers[0], "ErrorCode": "Conflict"}]}
    played.play(
        Answer(200, json.dumps(refused).encode()), Answer(200, b'{"PhoneNumberErrors": []}')
    )
    assert main([*IMPORT, "--shared"]) == 0
    sent = [json.loads(seen.body) for seen in played.seen]
    assert [number for request in sent for number in request["E164PhoneNumbers"]] == numbers
    assert all(request["Shared"] and request["CarrierName"] == "acme" for request in sent)
    assert len(sent) > 1
    out, err = capsys.readouterr()
    assert json.loads(out) == refused
    assert err.startswith("2,499 numbers imported, 1 refused, in ")


def test_a_line_that_holds_no_number_hinders_no_other(played: PlayedServer, capsys: Output) -> None:
    Path("numbers.csv").write_text("number\n\n+12065550100\n+44 7700 900123\n+12065550101\n")
    played.play(Answer(200, b'{"PhoneNumberErrors": []}'))
    assert main(IMPORT) == 0
    (sent,) = (json.loads(seen.body)["E164PhoneNumbers"] for seen in played.seen)
    assert sent == ["+12065550100", "+12065550101"]
    out, err = capsys.readouterr()
    (error,) = json.loads(out)["PhoneNumberErrors"]
    assert error["PhoneNumberId"] == "+44 7700 900123"
    assert error["ErrorMessage"].startswith("line 4 ")
    assert err.startswith("2 numbers imported, 1 refused, in ")


def test_an_import_that_breaks_off_says_how_far_it_came(
    played: PlayedServer, capsys: Output
) -> None:
    Path("numbers.csv").write_text("\n".join(f"+1206555{n:04}" for n in range(2500)))
    played.play(Answer(200, b'{"PhoneNumberErrors": []}'), *answers(("ForbiddenException",)))
    assert main(IMPORT) == 254
    assert "hint: 1,000 numbers are imported; the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "holds no phone numbers"),
        (b"number\n\n", "holds no phone numbers"),
        (b"\xff", "decode"),
    ],
)
def test_files_without_numbers(
    played: PlayedServer, capsys: Output, content: bytes, complaint: str
) -> None:
    Path("numbers.csv").write_bytes(content)
    assert main(IMPORT) == 252
    assert complaint in capsys.readouterr().err
    assert played.seen == []


def test_a_file_and_words_together(played: PlayedServer, capsys: Output) -> None:
    Path("numbers.csv").write_text("+12065550100\n")
    assert main([*IMPORT, "--e164-phone-numbers", "+12065550101"]) == 252


# --- completion


def completed(output: Output, *words: str) -> list[str]:
    assert main(["complete", "--", *words]) == 0
    return output.readouterr().out.split()


def test_commands_options_and_values_are_completed(played: PlayedServer, capsys: Output) -> None:
    assert completed(capsys, "chi") == ["chime", "chime-sdk-voice"]
    assert completed(capsys, "chime", "update-p") == [
        "update-phone-number",
        "update-phone-number-settings",
        "update-proxy-session",
    ]
    assert completed(capsys, "chime", "get-proxy-session", "--pro") == [
        "--profile",
        "--proxy-session-id",
    ]
    assert completed(capsys, "chime", "list-proxy-sessions", "--status", "") == [
        "Open",
        "InProgress",
        "Closed",
    ]
    assert completed(capsys, "chime", "create-proxy-session", "--capabilities", "S") == ["SMS"]
    assert completed(capsys, "--output", "yaml") == ["yaml", "yaml-stream"]
    assert completed(
        capsys, "--region", "us-east-1", "chime", "list-voice-connectors", "--max"
    ) == ["--max-results"]
    assert completed(capsys, "completion", "z") == ["zsh"]
    assert completed(capsys, "route", "--calle") == ["--caller", "--called"]
    assert completed(capsys, "nonsense", "x") == []
    assert completed(capsys, "chime", "nonsense", "--") != []


def test_ids_are_asked_of_the_server(played: PlayedServer, capsys: Output) -> None:
    words = ["chime", "get-proxy-session", "--voice-connector-id"]
    played.play(*answers(("connectors",)))
    assert completed(capsys, *words, "ab") == [CONNECTOR]
    played.play(*answers(("sessions",)))
    assert completed(capsys, *words, CONNECTOR, "--proxy-session-id", "") == ["one", "two"]
    assert played.seen[0].target == f"/voice-connectors/{CONNECTOR}/proxy-sessions"
    played.play(*answers(("NotFoundException",)))
    assert completed(capsys, *words, CONNECTOR, "--proxy-session-id", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(shell: str, capsys: Output) -> None:
    assert main(["completion", shell]) == 0
    assert "maskline complete --" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["completion"], ["completion", "tcsh"], ["completion", "a", "b"]]
)
def test_scripts_for_no_shell(words: list[str], capsys: Output) -> None:
    assert main(words) == 252


def test_bash_takes_its_script(tmp_path: Path, capsys: Output) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out + (
        'maskline() { printf "%s\\n" "chime" "chime-sdk-voice"; }\n'
        "COMP_WORDS=(maskline chi) COMP_CWORD=1\n_maskline\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "chime chime-sdk-voice\n"


# --- our model in the user's own AWS clients


@pytest.fixture
def home(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who has installed our model."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert main(["install-aws-model"]) == 0
    assert "try: aws chime list-voice-connectors --endpoint-url http" in capsys.readouterr().out
    return tmp_path / "home"


def test_botocore_finds_the_model(home: Path, live: House) -> None:
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(home / ".aws/models"))
    client = session.create_client("chime", region_name="us-east-1", endpoint_url=live.url)
    made = client.create_voice_connector(Name="one", RequireEncryption=False)
    connector = made["VoiceConnector"]["VoiceConnectorId"]
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_proxy_session(VoiceConnectorId=connector, ProxySessionId=SESSION)
    own = session.create_client("maskline", region_name="us-east-1", endpoint_url=live.url)
    assert own.list_calls()["Calls"] == []


@pytest.mark.skipif(
    not (CLIENTS / "awscli-newest" / "installed").exists(),
    reason="tools/client-venvs installs the AWS CLIs",
)
def test_the_newest_aws_cli_has_the_eight_operations_again(home: Path, live: House) -> None:
    environment = {**os.environ, "HOME": str(home), "AWS_DEFAULT_REGION": "us-east-1"}

    def aws(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(CLIENTS / "awscli-newest/bin/aws"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    unknown = aws("chime", "nonsense").stderr
    assert [name for name in EIGHT if name not in unknown] == []
    made = aws("chime", "create-voice-connector", "--name", "one", "--no-require-encryption")
    connector = json.loads(made.stdout)["VoiceConnector"]["VoiceConnectorId"]
    proxy = ["--default-session-expiry-minutes", "60", "--phone-number-pool-countries", "US"]
    put = aws("chime", "put-voice-connector-proxy", "--voice-connector-id", connector, *proxy)
    assert json.loads(put.stdout)["Proxy"]["DefaultSessionExpiryMinutes"] == 60
