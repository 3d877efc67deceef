"""What an earlier version has left is carried on by this one: a database with a live call and texts
under way, and its journal of calls.

Both were written by the program of the 25th step of the schema, at a desk whose clock was set to
April 2020. The calls' legs are made up.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from carrier import Carrier
from desk import ANN, BEN, CAT, START, Desk, proxies
from grounds import SqliteGround

from maskline.clock import MINUTE
from maskline.daemon.house import contexts
from maskline.engines.journal import NAMES, Journal
from maskline.engines.ledger import Ledger
from maskline.operations import Policy, find_access_key, take_calls_to_hang_up, take_legs
from maskline.operations.pictures import find_picture
from maskline.store import open_store
from maskline.store.secrets import open_cipher
from maskline.store.sqlite import SqliteTransaction, connect
from maskline.store.transfer import import_store

DATA = Path(__file__).parents[1] / "data" / "store"
EXPORT = DATA / "export-0025.jsonl"
JOURNAL = DATA / "journal-0025"
LEFT_AT = START + 66_500
NUMBER, OTHER, CLOSED = "+19135550197", "+19135550198", "+19135550199"
LIVE, RECOVERED = "53845412-7b09-6499-a949-42a28a807973", "5c55827d-f1d1-b1b7-083f-07874293a424"
KEY_ID, SECRET = "AKIAYBSGC3BI3J7GYB4H", "Jv1ROxFJEaBGx8HAjgZniMnxtQOnmxJGqYq7MJld"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The database, brought up to date."""
    url = f"sqlite:{tmp_path}/maskline.db"
    with EXPORT.open("rb") as file:
        import_store(url, tmp_path / "unused", file, EXPORT.with_suffix(".key"))
    return url


class File(SqliteGround):
    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self.tx = SqliteTransaction(
            self._connection, open_cipher(path.with_name(f"{path.name}.key"))
        )


class Later(Desk):
    """A desk of this version on the same data."""

    def __init__(self, ground: File) -> None:
        self.ground, self.tx, self.now = ground, ground.tx, LEFT_AT
        self.policy = Policy(carriers=("acme",), text_carriers={"acme"})
        self.access_key_id = None
        self._ids = itertools.count(1_000)
        (row,) = ground.sql("SELECT account_id FROM accounts WHERE operator = 1")
        self.account_id = row["account_id"]


@pytest.fixture
def desk(url: str) -> Iterator[Desk]:
    ground = File(Path(url.removeprefix("sqlite:")))
    yield Later(ground)
    ground.close()


def test_texts_that_wait_are_sent_in_the_order_of_each_pair(desk: Desk) -> None:
    """One that the carrier put off and the one behind it, one in doubt, one that was being sent."""
    carrier, accepted = Carrier(desk, life="node.2"), 0
    for _ in range(6):
        carrier.wait(MINUTE)
        for text in carrier.sent[accepted:]:
            carrier.accept(f"later-{text.message_id}", text)
            accepted += 1
    sent = [(text.destination, text.text) for text in carrier.sent]
    assert sorted(sent) == [
        (ANN, "behind it"),
        (ANN, "in doubt"),
        (ANN, "to try again"),
        (BEN, "This number is not in use."),
    ]
    assert sent.index((ANN, "to try again")) < sent.index((ANN, "behind it"))


def test_what_came_in_part_is_joined_and_what_was_taken_is_reported(desk: Desk) -> None:
    carrier = Carrier(desk, life="node.2")
    carrier.bring_part("second half", NUMBER, 2, 2)
    assert (BEN, "first half, second half") in [(one.destination, one.text) for one in carrier.sent]
    assert carrier.states()[:2] == ["Delivered", "Accepted"]
    carrier.report("id-2")
    assert carrier.states()[:2] == ["Delivered", "Delivered"]


def test_who_said_stop_gets_no_text(desk: Desk) -> None:
    (session,) = [one for one in sessions(desk) if CAT in proxies(one) and ANN not in proxies(one)]
    assert session["Status"] == "Closed"
    again = desk.open(session["VoiceConnectorId"], BEN, CAT)
    assert proxies(again)[CAT] == CLOSED  # the pair's number of before
    Carrier(desk, life="node.2").bring("hello", CLOSED, BEN)
    (text,) = desk.maskline("ListMessages")["Messages"][:1]
    assert (text["State"], text["Reason"]) == ("Refused", "opted-out")


def sessions(desk: Desk) -> list[dict[str, Any]]:
    (connector,) = desk.call("ListVoiceConnectors")["VoiceConnectors"]
    ids = {"VoiceConnectorId": connector["VoiceConnectorId"]}
    found: list[dict[str, Any]] = desk.call("ListProxySessions", **ids)["ProxySessions"]
    return found


def test_claims_hold_and_the_end_of_a_session_hangs_up_its_call(desk: Desk) -> None:
    (session,) = [one for one in sessions(desk) if one["Name"] == "taxi 7"]
    assert (session["Status"], set(proxies(session).values())) == ("InProgress", {NUMBER})
    other = desk.open(session["VoiceConnectorId"], ANN, "+12125550123")
    assert proxies(other)[ANN] == CLOSED  # her other two numbers mean somebody else
    assert desk.dial(BEN, NUMBER)["Targets"][0]["Called"] == ANN
    desk.close(session)
    (call,) = take_calls_to_hang_up(desk.context(""), LIVE[:8])
    assert call.call_id == LIVE
    assert [leg["CallId"] for leg in call.legs] == ["leg-1", "leg-2"]


def test_secrets_and_pictures_can_be_read(desk: Desk) -> None:
    key = find_access_key(desk.tx, KEY_ID)
    assert key is not None
    assert (key.secret_access_key, key.active) == (SECRET, True)
    found = find_picture(desk.context(), "tokentokentokentokentoke")
    assert found == ("image/png", b"\x89PNG picture")


async def test_what_was_told_of_calls_is_recorded(desk: Desk, url: str, tmp_path: Path) -> None:
    """The end of one that the database has as running; one that was refused; and one that ended,
    which was no end to that version yet, as long as one of both could not be told."""
    for age, name in zip((2, 1), NAMES, strict=True):  # the first was written before the second
        shutil.copy(JOURNAL / name, tmp_path)
        os.utime(tmp_path / name, (LEFT_AT // 1000 - age,) * 2)
    store = open_store(url)
    context = contexts(Policy(carriers=("acme",)), LIVE[:8])
    await Ledger(store, context, Journal(tmp_path)).recover()
    left = await store.write(lambda tx: take_legs(context(tx), RECOVERED[:8]))
    store.close()
    assert {one.leg["Target"] for one in left} == {
        "sip:token5@127.0.0.1:5060", "sip:moved@127.0.0.1:5060",
    }  # fmt: skip
    calls = {one["CallId"]: one for one in desk.maskline("ListCalls")["Calls"]}
    assert len(calls) == 5
    assert ended(calls[LIVE]) == (LEFT_AT + 4_000, "caller", 200)
    assert calls[RECOVERED]["AnsweredTimestamp"] == LEFT_AT + 2_000
    assert ended(calls[RECOVERED]) == (LEFT_AT + 5_000, None, None)  # it did not say by whom


def ended(call: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(call[name] for name in ("EndedTimestamp", "EndedBy", "SipStatus"))
