"""`maskline doctor`, asked about services that are well and such as are not."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from connectors import open_connector
from contract.cli_cases import answers
from contract.cli_live import set_variables
from contract.cli_server import Answer, PlayedServer
from house import House
from ports import free_port

from maskline.__main__ import main

Output = pytest.CaptureFixture[str]


def findings(output: Output, *words: str) -> tuple[int, dict[str, str]]:
    """The exit code, and the state of each thing looked at."""
    code = main(["doctor", *words])
    lines = [line for line in output.readouterr().out.splitlines() if not line.startswith(" ")]
    return code, {line[5:]: line[:5].strip() for line in lines}


def write_settings(path: Path, **values: Any) -> None:
    api, sip = free_port(), free_port()
    (path / "data").mkdir(exist_ok=True)
    path.joinpath("maskline.toml").write_text(
        f'data_dir = "data"\n[api]\nlisten = "127.0.0.1:{values.get("api", api)}"\n'
        f'[sip]\nlisten = ["udp:127.0.0.1:{sip}", "tcp:127.0.0.1:{sip}"]\n'
        '[media]\nports = "20000-20100"\n'  # apart from those that are free for a while
        '[[carriers]]\nname = "acme"\n[carriers.sip]\naddress = "127.0.0.1:5080"\n'
        'sources = ["127.0.0.1/32"]\n'
    )


def test_the_doctor_looks_for_smpp_carriers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as smsc:
        ports = smsc.getsockname()[1], free_port()
        write_settings(tmp_path)
        with tmp_path.joinpath("maskline.toml").open("a") as file:
            for name, port in zip(("near", "gone"), ports, strict=True):
                file.write(f'[[carriers]]\nname = "{name}"\n[carriers.smpp]\n')
                file.write(f'host = "127.0.0.1"\nport = {port}\nsystem_id = "us"\n')
        _, found = findings(capsys)
    assert found[f"carrier near: there is a way to 127.0.0.1:{ports[0]} (SMPP)"] == "ok"
    [gone] = [text for text in found if text.startswith("carrier gone")]
    assert found[gone] == "BAD"
    assert "Connection refused" in gone


def test_the_doctor_finds_nothing_wrong(live: House, tmp_path: Path, capsys: Output) -> None:
    write_settings(tmp_path)
    number = ["--e164-phone-numbers", "+12065550199", "--shared"]
    assert main(["admin", "import-phone-numbers", "--carrier-name", "acme", *number]) == 0
    capsys.readouterr()
    code, found = findings(capsys)
    missing = {text for text in found if text.endswith("is not installed")}
    assert {state for text, state in found.items() if text not in missing} == {"ok"}
    assert code == (255 if missing else 0)
    assert "kamailio is up" in found
    assert "0 of 1 proxy numbers are in use" in found


def test_the_doctor_says_what_the_pools_lack(live: House, tmp_path: Path, capsys: Output) -> None:
    write_settings(tmp_path)
    numbers = ["admin", "import-phone-numbers", "--carrier-name", "acme", "--e164-phone-numbers"]
    assert main([*numbers, "+12065550199"]) == 0
    assert about_the_pool(capsys) == (
        "there are no proxy numbers: no session can be created\n"
        "     -> associate those that are there, or import them again with --shared"
    )
    assert main([*numbers, "+442079460199", "--shared"]) == 0
    open_connector(live.client())
    assert about_the_pool(capsys).startswith(
        "0 of 1 proxy numbers are in use\n     -> with 1 more, nobody would be refused a session"
    )


def about_the_pool(capsys: Output) -> str:
    """What the doctor says of the pools: its last word."""
    capsys.readouterr()
    main(["doctor"])
    return capsys.readouterr().out.partition("the database answers\nlook ")[2].rstrip()


def test_the_doctor_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    write_settings(tmp_path)
    set_variables(monkeypatch, "A", "b", f"http://127.0.0.1:{free_port()}")
    code, found = findings(capsys)
    assert code == 255
    assert found[f"no server answers at {os.environ['AWS_ENDPOINT_URL']}"] == "BAD"
    assert [state for text, state in found.items() if "is free for" in text] == ["ok"] * 3


def test_the_doctor_asks_the_server_of_the_settings_that_were_named(
    live: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Not the one of the directory that it is called in, nor with its key."""
    write_settings(tmp_path)
    port = int(live.url.rpartition(":")[2])
    folder = tmp_path / "second"
    folder.mkdir()
    write_settings(folder, api=port)
    (folder / "maskline.toml").rename(folder / "api-1.toml")
    key = (
        f"aws_access_key_id = {live.operator.id}\naws_secret_access_key = {live.operator.secret}\n"
    )
    (folder / "data/credentials").write_text(f"[default]\n{key}")
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    _, found = findings(capsys, "--config", "second/api-1.toml")
    assert found[f"a server answers at {live.url}"] == "ok"
    assert found["the access key is accepted, and the database answers"] == "ok"


def test_the_doctor_finds_a_process_without_the_api_at_its_own_door(
    played: PlayedServer, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    played.play(Answer(200, json.dumps({"engines": {"kamailio": "up"}}).encode()))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    write_settings(Path())
    door = f'[health]\nlisten = "{played.url.removeprefix("http://")}"\n'
    text = Path("maskline.toml").read_text()
    Path("maskline.toml").write_text(text.replace("[api]", f"{door}[api]"))
    _, found = findings(capsys)
    assert found[f"a server answers at {played.url}"] == "ok"
    assert found["kamailio is up"] == "ok"
    assert not [text for text in found if "listen" in text or text.startswith("no server")]


def test_the_doctor_names_every_wrong_setting(played: PlayedServer, capsys: Output) -> None:
    Path("bad.toml").write_text('data_dir = "x"\nwrong = 1\n[api]\nlisten = "nonsense"\n')
    code, found = findings(capsys, "--config", "bad.toml")
    assert code == 255
    bad = [text for text, state in found.items() if state == "BAD" and text.startswith("bad.toml")]
    assert len(bad) == 2


def test_the_doctor_sees_a_port_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    set_variables(monkeypatch, "A", "b", f"http://127.0.0.1:{free_port()}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write_settings(tmp_path, api=port)
        _, found = findings(capsys)
    assert found[f"127.0.0.1:{port} cannot be listened on: Address already in use"] == "BAD"


def test_the_doctor_sees_readable_secrets(
    tmp_path: Path, played: PlayedServer, capsys: Output
) -> None:
    write_settings(tmp_path)
    (tmp_path / "data/credentials").touch(mode=0o644)
    (tmp_path / "data/credentials").chmod(0o644)
    _, found = findings(capsys)
    assert any(text.startswith("others can read") for text in found)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"engines": 1}', b"<html>"])
def test_the_doctor_knows_a_stranger(played: PlayedServer, capsys: Output, body: bytes) -> None:
    played.play(Answer(200, body))
    code, found = findings(capsys)
    assert code == 255
    assert found["it does not answer like a Maskline server"] == "BAD"


def test_the_doctor_sees_an_engine_down_and_a_wrong_clock(
    played: PlayedServer, capsys: Output
) -> None:
    health = json.dumps({"status": "down", "engines": {"kamailio": "down"}}).encode()
    played.play(
        Answer(503, health, {"Date": "Mon, 01 Jan 2001 00:00:00 GMT"}),
        *answers(("ForbiddenException",)),
    )
    _, found = findings(capsys)
    assert found["kamailio is down"] == "BAD"
    assert any(text.startswith("the server's clock and this one are") for text in found)
