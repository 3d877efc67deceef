"""What stands in the way of a start is told in plain words."""

import asyncio
import importlib
import io
import json
import shlex
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from maskline import clock, daemon, logs, settings
from maskline.clock import HOUR
from maskline.daemon import leave, parser
from maskline.daemon.api import welcome
from maskline.daemon.house import House, at_work, open_data
from maskline.daemon.pulse import Pulse
from maskline.daemon.roles import ROLES
from maskline.daemon.upkeep import upkeep
from maskline.domain.health import State
from maskline.domain.limits import Places
from maskline.engines.ground import GroundError
from maskline.operations import Context
from maskline.operations.access_keys import Credentials
from maskline.settings import Settings
from maskline.store import StoreFailed, Transaction

SERVER_TIME = 1_586_967_010_288
OUR_TIME = SERVER_TIME + HOUR


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    """Settings with a database that has been used."""
    path = tmp_path / "maskline.toml"
    path.write_text("")
    found = settings.load(path)
    found.data_dir.mkdir()
    open_data(found).close()
    return found


def test_a_database_without_its_key(chosen: Settings) -> None:
    (chosen.data_dir / "maskline.db.key").unlink()
    with pytest.raises(GroundError, match=r"store\.url: cannot use sqlite:.+maskline\.db: .*key"):
        open_data(chosen)


def test_a_file_that_is_no_database(chosen: Settings) -> None:
    (chosen.data_dir / "maskline.db").write_text("something else " * 1000)
    with pytest.raises(GroundError, match=r"store\.url: cannot use .+ not a database"):
        open_data(chosen)


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (StoreFailed("database or disk is full"), "store.url: database or disk is full"),
        (
            PermissionError(13, "Permission denied", "x/node"),
            "cannot use x/node: Permission denied",
        ),
        (OSError("x: too long"), "x: too long"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_fails_while_the_service_starts_is_told_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: Exception,
    told: str,
) -> None:
    """Played, and without what a process does to itself at its start."""

    async def fail(_chosen: Settings, _roles: list[str]) -> None:
        raise trouble

    path = tmp_path / "maskline.toml"
    path.write_text("")
    monkeypatch.setattr(daemon, "serve", fail)
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.setattr("os.umask", lambda _mode: 0)
    assert daemon.run(path, ["all"]) == 1
    assert capsys.readouterr().err == f"maskline: {path}: {told}\n"


def test_a_clock_that_is_set_back_bounds_nothing_for_longer(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls a second, and the places of those who hear an announcement."""
    with closing(open_data(chosen)) as store:
        policy = House(chosen, store).context(cast(Transaction, None)).policy
        rate, places = policy.rate, replace(cast(Places, policy.announcing), most=1)
        assert rate is not None
        assert (rate.allows("caller", 1), places.take(500)) == (True, True)
        wall, monotonic = time.time_ns(), time.monotonic_ns()
        monkeypatch.setattr(time, "time_ns", lambda: wall - 3600 * 10**9)
        monkeypatch.setattr(time, "monotonic_ns", lambda: monotonic + 2 * 10**9)
        assert (rate.allows("caller", 1), places.take(500)) == (True, True)


@pytest.mark.parametrize(
    ("words", "roles"),
    [
        ([], []),
        (["--role", "api"], [["api"]]),
        (["--role", "sip,sms"], [["sip", "sms"]]),
        (["--role", "sip", "--role", "sms"], [["sip"], ["sms"]]),
        (["--role", "all"], [["all"]]),
    ],
)
def test_roles_as_they_may_be_typed(words: list[str], roles: list[list[str]]) -> None:
    assert parser().parse_args(words).role == roles


@pytest.mark.parametrize("typed", ["", "web", "api,web", "API"])
def test_a_role_that_there_is_not(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--role", typed])
    told = capsys.readouterr().err
    assert "there is no role" in told
    assert all(role in told for role in ROLES)


async def test_a_step_of_the_upkeep_that_fails_keeps_no_other_from_being_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is logged each time, without the text of the error."""
    module, done = importlib.import_module("maskline.daemon.upkeep"), asyncio.Event()

    def failing(_context: object) -> int:
        raise ValueError("+12065550100")

    left = [2, 0]

    def later(_context: object) -> int:
        if not left[1:]:
            done.set()
        return left.pop(0)

    stream = io.StringIO()
    logs.configure("json", "info", stream)
    monkeypatch.setattr(module, "UPKEEP", (failing, later))
    monkeypatch.setattr(module, "log", structlog.get_logger())
    async with at_work(upkeep(house_of_nobody())), asyncio.timeout(20):
        await done.wait()
    logs.flush()
    logs.reset()
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["event"], line["work"], line["errors"]) == (
        "upkeep failed", "failing", ["ValueError"],
    )  # fmt: skip
    assert "5550" not in stream.getvalue()


async def test_the_end_of_sessions_does_not_wait_for_a_heap_of_what_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call is hung up by it where `hang_up_on_expiry` is the rule."""
    module, done = importlib.import_module("maskline.daemon.upkeep"), asyncio.Event()
    order: list[str] = []

    def settle(_context: object) -> int:
        order.append("settle")
        return 0

    def purge(_context: object) -> int:
        order.append("purge")
        if order.count("purge") == 5:
            done.set()
            return 0
        return 200

    monkeypatch.setattr(module, "UPKEEP", (settle, purge))
    async with at_work(upkeep(house_of_nobody())), asyncio.timeout(20):
        await done.wait()
    assert order == ["settle", "purge"] * 5


async def test_by_a_clock_that_is_ahead_nothing_is_over_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, done = importlib.import_module("maskline.daemon.upkeep"), asyncio.Event()
    times: list[int] = []

    def settle(context: Context) -> int:
        times.append(context.now)
        done.set()
        return 0

    monkeypatch.setattr(module, "UPKEEP", (settle,))
    async with at_work(upkeep(house_of_nobody())), asyncio.timeout(20):
        await done.wait()
    assert times == [SERVER_TIME]


async def test_no_process_starts_by_another_time_than_its_database(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = clock.now() + HOUR
    monkeypatch.setattr(Pulse.__init__, "__defaults__", (2.0, 3.0, lambda: ours))
    with pytest.raises(GroundError, match=r"3[56]\d\d s ahead of that of the database's machine"):
        await daemon.serve(chosen, [])


def house_of_nobody() -> House:
    """One whose database is nobody else's, and has nothing in it. Our clock is ahead of its."""

    async def write(work: Callable[[Any], int], *, beside: bool) -> int:
        assert beside
        return work(SimpleNamespace(lock_free=lambda *names: names, time=lambda: SERVER_TIME))

    return SimpleNamespace(
        store=SimpleNamespace(write=write),
        context=lambda tx: Context(tx, "", OUR_TIME, str),
    )  # type: ignore[return-value]


async def test_who_is_told_to_stop_goes_without_a_database_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("maskline.daemon.LOOK_SECONDS", 0.001)
    monkeypatch.setattr("maskline.daemon.LEAVE_SECONDS", 0.01)
    stop, left = asyncio.Event(), []
    looks = iter([State.DOWN, *[State.UP] * 20, *[State.DOWN] * 20])

    class Pulse:
        @property
        def state(self) -> State:
            return next(looks)

    store = SimpleNamespace(break_off=lambda: left.append(len([*looks])))
    leaving = asyncio.create_task(leave(SimpleNamespace(pulse=Pulse(), store=store), stop))  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert not leaving.done()
    stop.set()
    await leaving
    assert left == [10]  # not for one look, and not while it answered


def test_the_first_start_says_how_to_go_on_in_a_shells_words() -> None:
    key = Credentials(account_id="1", access_key_id="AKIA", secret_access_key="x")
    told = welcome(key, Path("/srv/Ann's place/var/credentials"), "http://127.0.0.1:8080")
    line = next(line for line in told.splitlines() if "AWS_SHARED" in line)
    assert shlex.split(line) == [
        "export",
        "AWS_SHARED_CREDENTIALS_FILE=/srv/Ann's place/var/credentials",
    ]
