"""`kill -9` of each part while calls run: it comes back, no session is lost, no call hangs, every
record is completed."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from acceptance.phones import BOTH_HOSTS, CALLED_HOST, SCENARIOS, Calls, phone, play
from acceptance.plain_phone import Phone, connect, forked, from_called, within
from acceptance.service import Service, running, until
from acceptance.tampering import changed_script
from acceptance.test_leak import PROXY_NUMBER, open_session

ALICE = "+12065550100"
CALLS = 50
TALK = 7  # seconds, in which all calls come about and Kamailio is killed
CALLER, CALLED, HUNG_UP, HANGS_UP = (
    SCENARIOS / f"{name}.xml" for name in ("caller", "called", "caller-hung-up", "called-hangs-up")
)
# Each OPTIONS, by which the service looks after Kamailio, has it count its transactions.
COUNTING = """
import os
from pathlib import Path

import KSR

TOLD = Path(os.environ["MASKLINE_SIP_SETTINGS"]).with_name("transactions")


class Counting(Routes):
    def request(self, message):
        if KSR.pv.get("$rm") == "OPTIONS":
            TOLD.write_text(str(KSR.pv.get("$stat(inuse_transactions)")))
        return super().request(message)


def mod_init():
    return Counting(Settings.load(os.environ["MASKLINE_SIP_SETTINGS"]))
"""

pytestmark = pytest.mark.long


@pytest.fixture
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("restarts")
    choices = {"carrier_host": CALLED_HOST, "sources": BOTH_HOSTS}
    for service in running(folder, more_environment=changed_script(folder, counting), **choices):
        open_session(service)
        yield service


def counting(copy: Path) -> None:
    with (copy / "script.py").open("a") as script:
        script.write(COUNTING)


def transactions(service: Service) -> int:
    """How many Kamailio has in hand; -1 while it has not counted."""
    try:
        return int((service.data / "run" / "kamailio" / "transactions").read_text() or -1)
    except FileNotFoundError:
        return -1


def ports(service: Service) -> int:
    """How many ports for sound rtpengine holds."""
    first, last = service.media_ports
    try:
        links = [os.readlink(one) for one in fds(service.engine_pid("rtpengine"))]
    except FileNotFoundError:
        return -1
    tables = Path("/proc/net/udp").read_text() + Path("/proc/net/udp6").read_text()
    rows = [line.split() for line in tables.splitlines() if "uid" not in line]
    ours = [row for row in rows if f"socket:[{row[9]}]" in links]
    return sum(first <= int(row[1].rpartition(":")[2], 16) <= last for row in ours)


def fds(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/fd").iterdir())


# Here we end calls that lost their sound or their service, and no others.
CAUSES = {"caller": 16, "called": 16, "us": 41}


def nothing_is_left(service: Service) -> None:
    """Every call has a whole record, rtpengine no port and Kamailio no transaction of any."""
    until(lambda: count(service, "Ended") == len(service.calls()))
    for record in service.calls():
        assert record["SipStatus"] == 200
        assert record["Cause"] == CAUSES[record["EndedBy"]]
        times = ("Received", "Forwarded", "Ringing", "Answered", "Ended")
        told = [record[f"{name}Timestamp"] for name in times]
        assert told == sorted(told)
    until(lambda: ports(service) == 0, 30)
    until(lambda: transactions(service) == 0, 60)


def count(service: Service, name: str) -> int:
    return sum(f"{name}Timestamp" in record for record in service.calls())


def running_calls(
    threads: ThreadPoolExecutor,
    service: Service,
    folder: Path,
    scenario: Path,
    seconds: int,
    called: Path | None = CALLED,
) -> "Future[tuple[int, int | None]]":
    """Fifty calls, all of them answered when this returns."""
    load, before = Calls(CALLS, 50, 1000 * seconds, seconds=120), count(service, "Answered")
    future = threads.submit(
        play, service, folder, scenario, called, PROXY_NUMBER, load, "-key", "caller", ALICE
    )
    until(lambda: count(service, "Answered") == before + CALLS)
    until(lambda: ports(service) >= 2 * CALLS)  # what is to be given back
    until(lambda: transactions(service) > 0)
    time.sleep(0.5)  # the last ACK
    return future


def sessions(service: Service) -> list[str]:
    chime = service.client()
    (connector,) = chime.list_voice_connectors()["VoiceConnectors"]
    found = chime.list_proxy_sessions(VoiceConnectorId=connector["VoiceConnectorId"])
    return [session["ProxySessionId"] for session in found["ProxySessions"]]


def kill(service: Service, engine: str) -> None:
    """`kill -9` of an engine; it is back when this returns."""
    killed = service.engine_pid(engine)
    os.kill(killed, signal.SIGKILL)
    until(lambda: service.engine_pid(engine) != killed, service.soon)
    until(lambda: service.health()[0] == 200 and service.engine_pid(engine) != 0, service.soon)


def test_calls_outlive_kamailio(masked: Service, tmp_path: Path) -> None:
    """Whoever of the two hangs up."""
    before = sessions(masked)
    for caller, called in ((CALLER, CALLED), (HUNG_UP, HANGS_UP)):
        with ThreadPoolExecutor() as threads:
            calls = running_calls(threads, masked, tmp_path, caller, TALK, called)
            kill(masked, "kamailio")
            assert calls.result() == (0, 0), (tmp_path / "caller.errors").read_text()
    nothing_is_left(masked)
    ended = Counter(record["EndedBy"] for record in masked.calls())
    assert ended == {"caller": CALLS, "called": CALLS}
    assert sessions(masked) == before


def test_calls_without_sound_are_ended_for_both(masked: Service, tmp_path: Path) -> None:
    """And a new one comes about at once, as a rule while they still live."""
    before = sessions(masked)
    one_more = Calls(CALLS + 1, seconds=120)
    with ThreadPoolExecutor() as threads:
        answering = phone(tmp_path, CALLED, "called", CALLED_HOST, masked.carrier_port, one_more)
        calls = running_calls(threads, masked, tmp_path, HUNG_UP, 0, None)
        kill(masked, "rtpengine")
        key, own = ("-key", "caller", ALICE), tmp_path / "new"
        own.mkdir()
        assert play(masked, own, CALLER, None, PROXY_NUMBER, Calls(), *key) == (0, None)
        assert calls.result() == (0, None), (tmp_path / "caller.errors").read_text()
        assert answering.wait(30) == 0
    nothing_is_left(masked)
    assert Counter(record["EndedBy"] for record in masked.calls()) == {"us": CALLS, "caller": 1}
    assert sessions(masked) == before


def test_whoever_hangs_up_while_the_service_is_dead_has_hung_up(own_service: Service) -> None:
    """Its engines die with it; the telephone asks until they are back."""
    open_session(own_service)
    caller = Phone(own_service)
    called = Phone(own_service, own_service.carrier_port)
    sent, _, answer = connect(caller, called)
    _, received, _ = connect(caller, called)
    received = forked(received, "bobs")
    until(lambda: count(own_service, "Answered") == 2)  # what is known is on the disk soon
    killed = own_service.pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: hung_up(caller, called, within("BYE", sent, answer, caller, 2)), 20)
    until(lambda: hung_up(called, caller, from_called("BYE", received, called, 1)), 20)
    assert own_service.pid not in (0, killed)
    until(lambda: own_service.health()[0] == 200 and count(own_service, "Ended") == 2)
    # The service that is back finds calls without sound, and may hang up first.
    for record in own_service.calls():
        assert (record["SipStatus"], record["Cause"]) == (200, CAUSES[record["EndedBy"]])
    caller.socket.close()
    called.socket.close()


def test_a_call_has_a_record_when_the_service_dies_with_its_decision(own_service: Service) -> None:
    """Nothing of it is in the database then."""
    open_session(own_service)
    caller, called = Phone(own_service), Phone(own_service, own_service.carrier_port)
    for number in (1, 2):
        caller.send(caller.invite())
        called.expect("INVITE ")
        die_and_come_back(own_service)
        until(lambda number=number: count(own_service, "Ended") == number, 20)
    for record in own_service.calls():
        assert (record["Decision"], record["EndedBy"]) == ("Connect", "us")
        assert "AnsweredTimestamp" not in record
    caller.socket.close()
    called.socket.close()


def die_and_come_back(service: Service) -> None:
    killed = service.pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: service.pid not in (0, killed), 20)
    until(lambda: service.health()[0] == 200, 20)


def hung_up(hanger: Phone, other: Phone, bye: str) -> bool:
    """Whether a BYE is answered, which is sent again here; the other one answers what comes."""
    hanger.send(bye)
    for text in messages(other):
        if text.startswith("BYE "):
            other.reply(text, 200)
    return any(text.startswith("SIP/2.0 200 ") for text in messages(hanger))


def messages(phone: Phone) -> Iterator[str]:
    with suppress(TimeoutError):
        while True:
            yield phone.receive(0.1)


def test_a_killed_service_ends_what_it_left(masked: Service, tmp_path: Path) -> None:
    before = sessions(masked)
    with ThreadPoolExecutor() as threads:
        calls = running_calls(threads, masked, tmp_path, HUNG_UP, 0)
        masked.kill()
        masked.start()
        assert calls.result() == (0, 0), (tmp_path / "caller.errors").read_text()
    nothing_is_left(masked)
    assert {record["EndedBy"] for record in masked.calls()} == {"us"}
    assert sessions(masked) == before
