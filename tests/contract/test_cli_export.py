"""Whole lists in files, as the books want them: `maskline admin list-calls --export FILE`."""

import csv
import json
import stat
from pathlib import Path

import pytest
from connectors import open_connector
from contract.cli_live import receive_call, receive_texts
from house import House
from pyarrow import parquet

from maskline.__main__ import main
from maskline.cli.list_export import listed, written
from maskline.model import load

OUR_NUMBER = "+19135550199"
LIST = ["admin", "list-calls"]


@pytest.fixture
def calls(live: House) -> House:
    """A server that received 250 calls, more than two pages."""
    words = ["admin", "import-phone-numbers", "--carrier-name", "acme"]
    assert main([*words, "--e164-phone-numbers", OUR_NUMBER]) == 0
    for number in range(250):
        receive_call(live, f"+1415555{number:04}", OUR_NUMBER)
    return live


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_table_holds_every_page(calls: House, tmp_path: Path) -> None:
    assert main([*LIST, "--export", "calls.csv"]) == 0
    rows = read_csv(tmp_path / "calls.csv")
    assert [row["CallerPhoneNumber"] for row in rows] == [
        f"+1415555{number:04}" for number in reversed(range(250))
    ]
    assert {row["Reason"] for row in rows} == {"unknown-caller"}
    assert {row["AnsweredTimestamp"] for row in rows} == {""}
    assert stat.S_IMODE((tmp_path / "calls.csv").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".calls")] == []


def test_parquet_holds_the_same_with_types(calls: House, tmp_path: Path) -> None:
    assert main([*LIST, "--export", "calls.csv"]) == 0
    assert main([*LIST, "--export", "calls.parquet"]) == 0
    table = parquet.read_table(tmp_path / "calls.parquet")
    assert str(table.schema.field("ReceivedTimestamp").type) == "timestamp[ms, tz=UTC]"
    assert str(table.schema.field("SipStatus").type) == "int64"
    shown = [
        {
            "CallId": row["CallId"],
            "SipStatus": str(row["SipStatus"]),
            "ReceivedTimestamp": f"{row['ReceivedTimestamp']:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        }
        for row in table.to_pylist()
    ]
    asked = shown[0].keys()
    rows = read_csv(tmp_path / "calls.csv")
    assert shown == [{name: row[name] for name in asked} for row in rows]


def test_a_part_by_time(calls: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LIST, "--export", "all.csv"]) == 0
    rows = read_csv(tmp_path / "all.csv")
    middle = rows[100]["ReceivedTimestamp"]
    assert main([*LIST, "--export", "late.csv", "--received-from", middle]) == 0
    assert main([*LIST, "--export", "early.csv", "--received-until", middle]) == 0
    late, early = read_csv(tmp_path / "late.csv"), read_csv(tmp_path / "early.csv")
    assert late + early == rows
    assert late[-1]["ReceivedTimestamp"] == middle
    capsys.readouterr()
    assert main([*LIST, "--received-from", "yesterday"]) == 254
    assert "receivedFrom" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("calls.xlsx", "ends neither with .csv nor with .parquet"),
        ("calls", "ends neither with .csv nor with .parquet"),
        ("missing/calls.csv", "No such file or directory"),
    ],
)
def test_where_nothing_can_be_written(
    live: House, tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, why: str
) -> None:
    before = sorted(tmp_path.iterdir())
    assert main([*LIST, "--export", path]) == 252
    assert why in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_failing_export_leaves_the_older_file(
    live: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "calls.csv").write_text("older")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    assert main([*LIST, "--export", "calls.csv"]) == 254
    assert (tmp_path / "calls.csv").read_text() == "older"
    assert json.dumps([p.name for p in tmp_path.iterdir()]).count("calls") == 1


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    """Anybody may text under such a name; a number begins with a plus all the same."""
    _, entry = listed(load("maskline").operations["ListMessages"])
    names = ["=1+1", "@SUM(A1)", "+1+1", "-2+3", "\t=1", "+14155550001", "-", "a=b"]
    with written(tmp_path / "texts.csv", dict(entry.members)) as write:
        write([{"SourcePhoneNumber": name} for name in names])
    found = [row["SourcePhoneNumber"] for row in read_csv(tmp_path / "texts.csv")]
    assert found == ["'=1+1", "'@SUM(A1)", "'+1+1", "'-2+3", "'\t=1", "+14155550001", "-", "a=b"]


def test_texts_are_written_without_their_words(live: House, tmp_path: Path) -> None:
    live.import_numbers(OUR_NUMBER)
    client = live.client()
    connector = open_connector(client)
    people = ["+14155550001", "+14155550002"]
    client.create_proxy_session(
        VoiceConnectorId=connector, ParticipantPhoneNumbers=people, Capabilities=["SMS"]
    )
    receive_texts(live, people[0], OUR_NUMBER)
    for name in ("texts.csv", "texts.parquet"):
        assert main(["admin", "list-messages", "--export", name]) == 0
    handled, failed = read_csv(tmp_path / "texts.csv")
    told = ("State", "Direction", "SourcePhoneNumber", "Error", "Reason")
    assert [failed[name] for name in told] == [
        "Failed", "FirstToSecond", people[0], "034", "reported-undeliverable"
    ]  # fmt: skip
    assert [handled[name] for name in told] == [
        "Handled", "SecondToFirst", people[1], "", "stop"
    ]  # fmt: skip
    assert "at the door" not in (tmp_path / "texts.csv").read_text()
    table = parquet.read_table(tmp_path / "texts.parquet")
    assert str(table.schema.field("Partial").type) == "bool"
    assert [row["MessageId"] for row in table.to_pylist()] == [
        handled["MessageId"], failed["MessageId"]
    ]  # fmt: skip
