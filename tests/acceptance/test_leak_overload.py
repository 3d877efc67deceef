"""More calls than can be carried: some are refused at once, the others go as ever, and nothing of
anybody leaves, not even when memory is used up."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from acceptance.leak_scenarios import CALLER_NUMBER
from acceptance.phones import (
    BOTH_HOSTS,
    CALLED_HOST,
    CALLER_HOST,
    SCENARIOS,
    Calls,
    answering,
    capture,
    packets,
    phone,
)
from acceptance.service import Service, at_work, running, until
from acceptance.tampering import changed_script
from acceptance.test_leak import PROXY_NUMBER, leaks, open_session
from ports import free_port

CALLER = (SCENARIOS / "caller-refused-or-not.xml").read_text()
CALLED = SCENARIOS / "called.xml"
TALKING = (SCENARIOS / "caller.xml").read_text()
LITTLE_MEMORY = "memory_mebibytes = 16\n"
NO_MEMORY = "could not allocate shared memory"
ROUNDS = 4
TEMPLATE = "kamailio.cfg.template"
LAST_OF_GATE = "\tif ($$(var(out){s.len}) > 8) {\n"
# In Kamailio's language: texts that double until there is no room, and small ones for what is left.
HOG = "".join(
    f'$$var(d{place}) = "0123456789abcdef"; $$var(n) = 0;\n'
    f"while ($$var(n) < 22) {{ $$var(d{place}) = $$var(d{place}) + $$var(d{place});"
    " $$var(n) = $$var(n) + 1; }\n"
    for place in range(60)
) + "".join(
    f'$$var(s{place}) = "{"z" * length}";\n'
    for place, length in enumerate([1024] * 300 + [256] * 900 + [64] * 900 + [16] * 900)
)
GREEDY_GATE = f'if ($$mb =~ "hog") {{ {HOG} }}\n{LAST_OF_GATE}'
GREEDY = TALKING.replace("Max-Forwards", "Subject: hog\nMax-Forwards")


@contextmanager
def called(service: Service, folder: Path) -> Iterator[None]:
    """A phone that takes any number of calls."""
    any_number = Calls(number=1_000_000, seconds=600)
    with answering(folder, CALLED, service.carrier_host, service.carrier_port, any_number):
        yield


def called_for(service: Service, folder: Path, scenario: str, calls: Calls) -> tuple[int, int]:
    """SIPp's exit status, 0 when every call was answered and ended, or refused with 503; and how
    many were told 503."""
    file, told = folder / "caller.xml", folder / "told"
    file.write_text(scenario)
    process = phone(
        folder, file, "caller", CALLER_HOST, free_port(CALLER_HOST), calls, service.sip,
        "-s", PROXY_NUMBER, "-key", "caller", CALLER_NUMBER, "-r", str(calls.per_second),
        "-d", str(calls.talk_milliseconds), "-l", str(calls.number),
        "-trace_msg", "-message_file", str(told),
    )  # fmt: skip
    status = process.wait(calls.seconds + 10)
    return status, told.read_text(errors="replace").count("\nSIP/2.0 503 ")


@pytest.fixture
def little(tmp_path: Path) -> Iterator[Service]:
    """A service whose Kamailio has hardly any memory."""
    hosts = {"carrier_host": CALLED_HOST, "sources": BOTH_HOSTS}
    for service in running(tmp_path, sip_settings=LITTLE_MEMORY, **hosts):
        open_session(service)
        yield service


def test_while_memory_is_short_new_calls_are_refused_and_the_others_go_on(
    little: Service, tmp_path: Path
) -> None:
    with called(little, tmp_path):
        many = Calls(number=360, per_second=60, talk_milliseconds=200, seconds=60)
        status, refused = called_for(little, tmp_path, CALLER, many)
        assert status == 0, (tmp_path / "caller.errors").read_text()[-2000:]
        assert refused > 0
        assert NO_MEMORY not in little.log
        assert "engine lost" not in little.log
        # What was taken is free again some ten seconds after each call.
        until(lambda: called_for(little, tmp_path, CALLER, Calls()) == (0, 0))


@pytest.mark.parametrize("closed", [True, False])
def test_nothing_leaves_unmasked_when_memory_is_used_up(tmp_path: Path, closed: bool) -> None:
    """Kamailio then sends its own draft of a message, which holds what the sender wrote: unless it
    ends before that. Here it keeps no reserve, which would have spared it."""

    def change(script: Path) -> None:
        put_in(script / "maskline_sip/settings.py", 'given["reserve"]', "0")
        put_in(script / TEMPLATE, "${reserve}", "0")
        if not closed:  # or nothing shows that this was tried
            put_in(script / TEMPLATE, "abort();", '$$var(more) = "";')

    with changed(tmp_path, change) as service:
        found: set[tuple[str, bytes]] = set()
        for place in range(ROUNDS):  # a machine that is slow plays calls too slowly for it at times
            captured = tmp_path / f"captured{place}"
            with capture(service, captured):
                called_for(service, tmp_path, TALKING, Calls(number=700, per_second=140))
            found.update(leaks(packets(captured)))
            if NO_MEMORY in service.log and (closed or found):
                break
        assert NO_MEMORY in service.log
        assert bool(found) is not closed
        if closed:
            until(lambda: called_for(service, tmp_path, CALLER, Calls()) == (0, 0))


def test_nothing_leaves_unmasked_when_a_process_has_no_memory(tmp_path: Path) -> None:
    """As above, where one worker's own memory is used up, by variables without end. It says nothing
    of it here, or it would be ended."""

    def change(script: Path) -> None:
        put_in(script / TEMPLATE, LAST_OF_GATE, GREEDY_GATE)
        put_in(script / TEMPLATE, "debug=-1\n", "debug=-5\n")

    with changed(tmp_path, change) as service:
        with capture(service, tmp_path / "captured"):
            called_for(service, tmp_path, GREEDY, Calls(seconds=5))
        assert leaks(packets(tmp_path / "captured")) == {}


def test_a_process_without_memory_has_kamailio_started_again(tmp_path: Path) -> None:
    def change(script: Path) -> None:
        put_in(script / TEMPLATE, LAST_OF_GATE, GREEDY_GATE)

    with changed(tmp_path, change) as service:
        called_for(service, tmp_path, GREEDY, Calls(seconds=5))
        until(lambda: "engine has a process without memory" in service.log)
        until(lambda: called_for(service, tmp_path, CALLER, Calls()) == (0, 0))


@contextmanager
def changed(folder: Path, change: Callable[[Path], None]) -> Iterator[Service]:
    """A service with hardly any memory and another script, and a phone that takes its calls."""
    service = Service(
        folder,
        carrier_host=CALLED_HOST,
        sources=BOTH_HOSTS,
        sip_settings=LITTLE_MEMORY,
        more_environment=changed_script(folder, change),
    )
    with contextmanager(at_work)(service), called(service, folder):
        open_session(service)
        yield service


def put_in(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def usual(tmp_path: Path) -> Iterator[Service]:
    for service in running(tmp_path, carrier_host=CALLED_HOST, sources=BOTH_HOSTS):
        open_session(service)
        yield service


def test_who_answers_late_refuses_some_calls_for_a_while(usual: Service, tmp_path: Path) -> None:
    with called(usual, tmp_path), ThreadPoolExecutor() as threads:
        many = Calls(number=250, per_second=50, talk_milliseconds=200)
        calling = threads.submit(called_for, usual, tmp_path, CALLER, many)
        time.sleep(2)
        halted(usual, 2)
        status, refused = calling.result()
        assert status == 0, (tmp_path / "caller.errors").read_text()[-2000:]
        assert 0 < refused < many.number
        assert "overloaded: some new calls are refused" in usual.log
        until(lambda: called_for(usual, tmp_path, CALLER, Calls()) == (0, 0))


def halted(service: Service, seconds: float) -> None:
    """Kamailio stands still for so long."""
    halted = [pid for pid in service.processes() if comm(pid) == "kamailio"]
    for pid in halted:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in halted:
        os.kill(pid, signal.SIGCONT)


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
