"""Calls with every kind of ending, all at once, for a while: none fails, every one leaves the right
record, no sound is relayed afterwards, and no process grows.

`MASKLINE_SOAK_SECONDS` says how long and `MASKLINE_SOAK_RATE` how many calls a second begin;
`make soak` plays for half an hour.
"""

import asyncio
import json
import os
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from acceptance import leak_scenarios
from acceptance.leak_scenarios import CALLED_NUMBER, CALLER_NUMBER, Phone, answered, exchange
from acceptance.phones import CALLED_HOST, CALLER_HOST, Calls, listening, phone
from acceptance.service import Service, free_port, running, until
from connectors import open_connector

from maskline.engines.ng import NgClient
from maskline.settings import Address

pytestmark = pytest.mark.long

LONG = int(os.environ.get("MASKLINE_SOAK_SECONDS", "0"))
SECONDS = LONG or 10
RATE = float(os.environ.get("MASKLINE_SOAK_RATE", "10"))
TALK_MILLISECONDS = 3000
GAP_MILLISECONDS = 500
RING_SECONDS = 5
BATCH = 10  # calls in a session that is closed over them
MOST_GROWTH = 0.1
# The database grows by a record for each call; what SQLite keeps of it in memory is not looked at.
STORE = "store.cache_mebibytes = 1\n"
SAMPLE_SECONDS = 5
# For so many milliseconds a phone takes what comes late for a call that is over for what it is.
LENIENT = ("-deadcall_wait", "4000")

Ending = tuple[str, str | None, int | None]  # kind, who ended it, the SIP status


class PlainPhone(Phone):
    """A phone that says no more than it must."""

    def headers(self, status: int = 0) -> str:
        return f"Contact: <sip:{self.number}@[local_ip]:[local_port]>"

    def pause(self, milliseconds: int) -> None:
        """SIPp wants everything in order, which UDP and a busy machine do not keep."""
        super().pause(max(milliseconds, GAP_MILLISECONDS))

    def talk(self) -> None:
        self.pause(TALK_MILLISECONDS)

    def speak(self, sound: Path) -> None:
        self.steps.append(
            f'<nop><action><exec rtp_stream="{sound},-1,8"/></action></nop>'  # PCMA
        )


def both() -> tuple[Phone, Phone]:
    return leak_scenarios.phones(PlainPhone)


def ended(by_caller: bool, sound: Path | None = None) -> tuple[str, str]:
    caller, called = both()
    answered(caller, called, early=False)
    if sound:
        caller.steps[0] = caller.steps[0].replace("[media_port]", "[rtpstream_audio_port]")
        caller.speak(sound)
    ender, other = (caller, called) if by_caller else (called, caller)
    ender.talk()
    exchange(ender, other, "BYE")
    return caller.xml(), called.xml()


def changed() -> tuple[str, str]:
    """A call with all that may happen within it."""
    caller, called = both()
    answered(caller, called, early=False)
    exchange(caller, called, "INVITE", "sdp")
    exchange(called, caller, "INVITE", "sdp")
    exchange(called, caller, "UPDATE", "sdp")
    exchange(caller, called, "INFO", "dtmf")
    caller.talk()
    exchange(caller, called, "BYE")
    return caller.xml(), called.xml()


def unanswered() -> tuple[str, str]:
    """The phone rings until we give up."""
    caller, called = both()
    caller.request("INVITE", "sdp")
    called.wait("INVITE")
    called.reply(180)
    caller.wait(100, optional=True)
    caller.wait(180)
    called.be_cancelled()
    caller.wait(408)
    caller.acknowledge_refusal()
    return caller.xml(), called.xml()


def hung_up_on() -> tuple[str, str]:
    """Both sides are sent a BYE."""
    caller, called = both()
    answered(caller, called, early=False)
    for one in (caller, called):
        one.wait("BYE")
        one.reply(200)
    return caller.xml(), called.xml()


HANG_UPS = 4  # of a phone that does not answer, each repeated for five seconds


def vanished() -> tuple[str, str]:
    """Both phones are gone once the call is answered."""
    caller, called = both()
    answered(caller, called, early=False)
    for _ in range(HANG_UPS):
        called.wait("BYE")  # else SIPp takes it for a new call; it answers nothing
    called.pause(6_000)
    return caller.xml(), called.xml()


@dataclass(frozen=True)
class Kind:
    """A kind of call: what its phones do, its share of all calls, how its records end."""

    scenario: tuple[str, str]
    share: float
    ended_by: str
    sip_status: int
    options: tuple[str, ...] = ()


def kinds(sound: Path) -> dict[str, Kind]:
    found = {
        "heard": Kind(ended(True, sound), 0.2, "caller", 200, ("-rtp_echo",)),
        "caller": Kind(ended(True), 0.15, "caller", 200),
        "called": Kind(ended(False), 0.15, "called", 200),
        "changed": Kind(changed(), 0.15, "caller", 200),
        "cancelled": Kind(leak_scenarios.cancelled(PlainPhone), 0.1, "caller", 487),
        "busy": Kind(leak_scenarios.refused(486, PlainPhone), 0.1, "called", 486),
        "unanswered": Kind(unanswered(), 0.05, "us", 408),
        "closed": Kind(hung_up_on(), 0, "us", 200),
    }
    if LONG:  # they last until the limit of a minute
        found["vanished"] = Kind(vanished(), 0.02, "us", 200)
    return found


ANSWER = re.compile(
    r'<send retrans="500"><!\[CDATA\[\nSIP/2\.0 200 .*?</send>\s*(?=<recv request="ACK")', re.DOTALL
)
AGAIN = '<recv request="INVITE" optional="true" next="repeated"/>'


def patient(called: str) -> str:
    """The same phone, which answers an INVITE again that is repeated after the answer, as one does
    whose 180 and 200 wait in a socket meanwhile (RFC 3261 17.2.1). SIPp knows for a repetition
    only what comes before the second reply to it."""
    return ANSWER.sub(rf'<label id="repeated"/>\n\g<0>{AGAIN}\n', called, count=1)


def aborted(errors: str) -> str:
    """What SIPp says of the first call that it gave up, and not of those that were only late."""
    return errors[errors.find("Aborting") :][:2000] if "Aborting" in errors else errors[:2000]


@dataclass
class Stage:
    """The service, the kinds of calls, and where each kind is played."""

    service: Service
    kinds: dict[str, Kind]
    ports: dict[str, int]
    connector: str = ""
    begun: Counter[str] = field(default_factory=Counter)

    def number(self, kind: str) -> str:
        return f"+1913555{1000 + list(self.kinds).index(kind)}"

    def furnish(self) -> None:
        chime = self.service.client()
        self.connector = open_connector(chime, minutes=600)
        for kind in self.kinds:
            self.service.import_numbers(kind, self.number(kind))
        # Two people have one number for each session of theirs; each kind of call has its own.
        sessions = {self.open_session() for _ in self.kinds}
        (self.closing_id,) = (
            session for session, number in sessions if number == self.number("closed")
        )

    def open_session(self) -> tuple[str, str]:
        session = self.service.client().create_proxy_session(
            VoiceConnectorId=self.connector,
            ParticipantPhoneNumbers=[CALLER_NUMBER, CALLED_NUMBER],
            Capabilities=["Voice"],
        )["ProxySession"]
        return session["ProxySessionId"], session["Participants"][0]["ProxyPhoneNumber"]

    def play(self, folder: Path, kind: str, calls: Calls) -> None:
        """Plays calls of one kind; every one must go as its scenario says."""
        folder.mkdir(parents=True)
        caller, called = self.kinds[kind].scenario
        (folder / "caller.xml").write_text(caller)
        (folder / "called.xml").write_text(patient(called))
        port, options = self.ports[kind], self.kinds[kind].options
        answering = phone(
            folder, folder / "called.xml", "called", CALLED_HOST, port, calls, *LENIENT, *options
        )
        until(lambda: listening(CALLED_HOST, port, "udp"))
        calling = phone(
            folder, folder / "caller.xml", "caller", CALLER_HOST, free_port(CALLER_HOST), calls,
            self.service.sip, "-s", self.number(kind), "-r", str(calls.per_second),
            "-rp", "10000", "-l", "1000", *LENIENT,
        )  # fmt: skip
        statuses = calling.wait(calls.seconds + 20), answering.wait(calls.seconds + 20)
        errors = "".join(aborted(file.read_text()) for file in folder.glob("*.errors"))
        assert statuses == (0, 0), f"{kind}: {statuses} {errors}"
        self.begun[kind] += calls.number

    def play_steadily(self, folder: Path, kind: str) -> None:
        in_ten_seconds = max(1, round(self.kinds[kind].share * RATE * 10))
        number = max(1, in_ten_seconds * SECONDS // 10)
        self.play(folder / kind, kind, Calls(number, in_ten_seconds, seconds=SECONDS + 120))

    def close_sessions(self, folder: Path) -> None:
        """A session is closed over its calls, and opened again, as long as others play."""
        end, round_ = time.monotonic() + SECONDS, 0
        with ThreadPoolExecutor(1) as threads:
            while time.monotonic() < end:
                calls = Calls(BATCH, 10 * BATCH, seconds=60)
                playing = threads.submit(self.play, folder / f"closed-{round_}", "closed", calls)
                wanted = (round_ + 1) * BATCH
                until(lambda wanted=wanted: self.answered("closed") == wanted, 40)
                time.sleep(1.0)  # the last ACK
                self.service.client().delete_proxy_session(
                    VoiceConnectorId=self.connector, ProxySessionId=self.closing_id
                )
                playing.result()
                self.closing_id, number = self.open_session()
                assert number == self.number("closed")
                round_ += 1

    def query(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        (file,) = self.service.data.glob("*.db")
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return database.execute(text, values).fetchall()

    def answered(self, kind: str) -> int:
        ((number,),) = self.query(
            "SELECT count(*) FROM calls WHERE outbound_carrier = ? AND answered_at IS NOT NULL",
            kind,
        )
        return int(number)

    def endings(self) -> Counter[Ending]:
        rows = self.query(
            "SELECT outbound_carrier, ended_by, sip_status, count(*) FROM calls"
            " WHERE ended_at IS NOT NULL GROUP BY 1, 2, 3"
        )
        return Counter({(kind, by, status): number for kind, by, status, number in rows})

    def expected(self) -> Counter[Ending]:
        return Counter(
            {
                (name, kind.ended_by, kind.sip_status): self.begun[name]
                for name, kind in self.kinds.items()
            }
        )


def carrier(name: str, port: int) -> str:
    return (
        f'[[carriers]]\nname = "{name}"\n[carriers.sip]\naddress = "{CALLED_HOST}:{port}"\n'
        f'sources = ["{CALLER_HOST}/32", "{CALLED_HOST}/32"]\n'
    )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    sound = tmp_path / "sound.pcma"
    sound.write_bytes(bytes(range(0x40, 0xC0)) * 63)  # about a second
    chosen = kinds(sound)
    ports = {kind: free_port(CALLED_HOST) for kind in chosen}
    for service in running(
        tmp_path,
        more_settings=f"max_ring_seconds = {RING_SECONDS}\nmax_call_minutes = 1\n{STORE}",
        carrier_settings="".join(carrier(kind, port) for kind, port in ports.items()),
    ):
        found = Stage(service, chosen, ports)
        found.furnish()
        yield found


@contextmanager
def watched(sample: Callable[[], dict[str, int]]) -> Iterator[dict[str, list[int]]]:
    """Memory of each part in KiB, every few seconds."""
    series: dict[str, list[int]] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            for name, size in sample().items():
                series.setdefault(name, []).append(size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield series
    finally:
        over.set()
        watcher.join()


def memory(service: Service) -> dict[str, int]:
    """What the processes of each part hold, shared pages by their share, in KiB."""
    sizes: Counter[str] = Counter()
    for pid in [service.pid, *service.processes()]:
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        sizes[name] += next(
            int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")
        )
    return dict(sizes)


def growth(sizes: list[int]) -> float:
    """Of the last quarter against the second, as a share."""
    quarter = len(sizes) // 4
    return median(sizes[-quarter:]) / median(sizes[quarter : 2 * quarter]) - 1


async def media_sessions(service: Service) -> list[str]:
    """The ids of the calls that rtpengine holds."""
    known = json.loads((service.data / "run/kamailio/settings.json").read_text())
    host, _, port = known["media_control"].rpartition(":")
    client = NgClient(Address(host, int(port)))
    await client.open()
    try:
        return list((await client.ask("list", limit=100_000))["calls"])
    finally:
        client.close()


def test_calls_of_every_kind_for_a_while(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    steady = [kind for kind in stage.kinds if stage.kinds[kind].share]
    with (
        watched(lambda: memory(stage.service)) as series,
        ThreadPoolExecutor(len(steady) + 1) as threads,
    ):
        playing = [threads.submit(stage.play_steadily, folder, kind) for kind in steady]
        playing.append(threads.submit(stage.close_sessions, folder))
        for future in playing:
            future.result()
    wait = 100 if LONG else 30
    with suppress(AssertionError):  # the next line tells what is missing
        until(lambda: stage.endings() == stage.expected(), wait)
    assert stage.endings() == stage.expected()
    ((unfinished,),) = stage.query("SELECT count(*) FROM calls WHERE ended_at IS NULL")
    assert unfinished == 0
    assert LONG or "engine says" not in stage.service.log
    with suppress(AssertionError):  # rtpengine keeps a call for two seconds after its end
        until(lambda: not asyncio.run(media_sessions(stage.service)))
    left = asyncio.run(media_sessions(stage.service))
    assert [stage.query("SELECT * FROM calls WHERE call_id = ?", one) for one in left] == []
    grown = {name: round(growth(sizes), 3) for name, sizes in series.items() if len(sizes) > 7}
    print(f"\n{sum(stage.begun.values())} calls in {SECONDS} s: {dict(stage.begun)}")
    print({name: (sizes[0], sizes[-1]) for name, sizes in series.items()}, "KiB; grown", grown)
    if LONG:
        assert all(share < MOST_GROWTH for share in grown.values()), grown
