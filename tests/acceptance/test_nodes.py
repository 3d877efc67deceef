"""Three SIP nodes behind a balancer that gives each transaction to another one: whole calls over
several nodes, nodes and engines that die, one that is drained, and strangers who forge."""

import os
import signal
import socket
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from acceptance import leak_scenarios
from acceptance.fleet import BALANCER, CALLED, CALLER, NODES, SIP, STRANGER, Fleet, Node, fleet
from acceptance.namespaces import inside
from acceptance.phones import SCENARIOS, Calls, packets
from acceptance.service import until
from acceptance.test_leak import PROXY_NUMBER, leaks, marks, open_session
from cluster import Cluster

pytestmark = pytest.mark.long

SECRETS = {
    CALLER: (*marks("SECB"), leak_scenarios.CALLED_NUMBER[1:].encode(), CALLED.encode()),
    CALLED: (*marks("SECA"), leak_scenarios.CALLER_NUMBER[1:].encode(), CALLER.encode()),
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Fleet]:
    try:
        with fleet(tmp_path_factory.mktemp("fleet"), cluster) as built:
            open_session(built.api)
            yield built
    except PermissionError as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")


def ended(town: Fleet, before: int) -> list[dict[str, Any]]:
    """The records since then, when all of them are complete."""
    until(lambda: are_over(town.api.calls()), 20)
    return town.api.calls()[: len(town.api.calls()) - before]


def are_over(calls: list[dict[str, Any]]) -> bool:
    return all("EndedTimestamp" in call for call in calls)


def errors(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.glob("*.errors"))


@pytest.mark.parametrize("name", ["whole-call", "cancelled", "refused-486"])
def test_any_node_takes_any_message_and_nothing_leaks(
    town: Fleet, tmp_path: Path, name: str
) -> None:
    files = [tmp_path / "caller.xml", tmp_path / "called.xml"]
    for file, text in zip(files, leak_scenarios.scenarios()[name], strict=True):
        file.write_text(text)
    before, tape, number = len(town.api.calls()), tmp_path / "capture.pcap", 6
    passed = len(town.sent())
    with town.capture(tape):
        calls = Calls(number, per_second=2, seconds=40)
        own = ["-cid_str", f"SECA_CID%u-%p@{CALLER}"]
        assert town.play(tmp_path, *files, PROXY_NUMBER, calls, *own) == (0, 0), errors(tmp_path)
    received = packets(tape)
    assert {host for host, payload in received if b"SIP/2.0" in payload} == set(SECRETS)
    assert leaks(received, SECRETS) == Counter()
    assert len(ended(town, before)) == number
    nodes = defaultdict(set)
    for call_id, _, _, node in town.sent()[passed:]:
        nodes[call_id].add(node)
    assert name != "whole-call" or max(map(len, nodes.values())) == len(NODES)


def test_the_calls_of_a_killed_node_are_ended_by_their_phones_at_the_others(
    town: Fleet, tmp_path: Path
) -> None:
    before, number = len(town.api.calls()), 12
    with ThreadPoolExecutor() as threads:
        calls = Calls(number, per_second=12, talk_milliseconds=6000, seconds=60)
        files = SCENARIOS / "caller.xml", SCENARIOS / "called.xml"
        playing = threads.submit(town.play, tmp_path, *files, PROXY_NUMBER, calls)
        until(lambda: answered(town, before) == number, 20)
        killed = holder(town, before)
        killed.kill()
        try:
            assert playing.result() == (0, 0), errors(tmp_path)
        finally:
            killed.start()
    found = ended(town, before)
    assert Counter(one["EndedBy"] for one in found) == {"caller": number}
    assert any(one["CallId"].startswith(killed.name) for one in found)


def test_a_drained_node_takes_no_more_calls_finishes_its_own_and_stops(
    town: Fleet, tmp_path: Path
) -> None:
    before, number = len(town.api.calls()), 9
    files = SCENARIOS / "caller.xml", SCENARIOS / "called.xml"
    with ThreadPoolExecutor() as threads:
        calls = Calls(number, per_second=9, talk_milliseconds=8000, seconds=60)
        playing = threads.submit(town.play, tmp_path, *files, PROXY_NUMBER, calls)
        until(lambda: answered(town, before) == number, 20)
        drained = holder(town, before)
        drained.process.send_signal(signal.SIGUSR1)
        assert playing.result() == (0, 0), errors(tmp_path)
    try:
        own = [one for one in ended(town, before) if one["CallId"].startswith(drained.name)]
        assert own
        assert {one["EndedBy"] for one in own} == {"caller"}
        before = len(town.api.calls())
        calls = Calls(number, per_second=9, seconds=30)
        assert town.play(tmp_path, *files, PROXY_NUMBER, calls) == (0, 0), errors(tmp_path)
        assert drained.process.wait(30) == 0
        found = ended(town, before)
        assert len(found) == number
        assert not [one for one in found if one["CallId"].startswith(drained.name)]
    finally:
        drained.stop()
        drained.start()


def answered(town: Fleet, before: int) -> int:
    found = town.api.calls()
    return sum("AnsweredTimestamp" in one for one in found[: len(found) - before])


def holder(town: Fleet, before: int) -> Node:
    """A node that carries one of the calls since then."""
    found = town.api.calls()
    names = {one["CallId"][:8] for one in found[: len(found) - before]}
    return next(node for node in town.nodes if node.name in names)


def test_new_calls_find_another_rtpengine(town: Fleet, tmp_path: Path) -> None:
    """One stands still until it is replaced; the calls last longer than it takes to look for those
    that nobody relays."""
    before, number = len(town.api.calls()), 24  # by a hash: one node has none by chance
    still = town.nodes[0]
    os.kill(still.engine_pid("rtpengine"), signal.SIGSTOP)
    calls = Calls(number, per_second=20, talk_milliseconds=10_000, seconds=40)
    files = SCENARIOS / "caller.xml", SCENARIOS / "called.xml"
    assert town.play(tmp_path, *files, PROXY_NUMBER, calls) == (0, 0), errors(tmp_path)
    found = ended(town, before)
    assert Counter(one["EndedBy"] for one in found) == {"caller": number}
    assert [one for one in found if one["CallId"].startswith(still.name)]


def test_another_node_with_other_keys_does_not_start(town: Fleet, tmp_path: Path) -> None:
    other = town.node(NODES[0], town.nodes[0].namespace, tmp_path / "other.key")
    other.config.write_text(
        other.settings.replace(':5060"]\nadv', ':5070"]\nadv')
        .replace(":2223", ":2224")
        .replace("30000-30999", "31000-31999")
    )
    other.launch()
    assert other.process.wait(30) == 1
    assert "sip.mask_keys: key 'a' is not the one that node" in other.log


VIAS = {
    "their own": "SIP/2.0/UDP {source}:{port};branch={branch};rport",
    "a received of their own": "SIP/2.0/UDP {source}:{port};received={carrier};branch={branch}",
    "the same, elsewhere": "SIP/2.0/UDP h.example;branch={branch};received={carrier}",
    "the carrier's address": "SIP/2.0/UDP {carrier}:5060;branch={branch};rport",
    "two": "SIP/2.0/UDP {source}:{port};branch={branch}, SIP/2.0/UDP x;received={carrier}",
}


def asked(
    town: Fleet, source: str, via: str, to: tuple[str, int], method: str = "INVITE"
) -> list[bytes]:
    """What somebody at that address is answered to an INVITE for the proxy number."""
    with inside(town.phones), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((source, 0))
        own.settimeout(1.0)
        branch = f"z9hG4bK{os.urandom(6).hex()}"
        via = via.format(source=source, port=own.getsockname()[1], carrier=CALLER, branch=branch)
        lines = [
            f"{method} sip:{PROXY_NUMBER}@{BALANCER} SIP/2.0",
            f"Via: {via}",
            "Max-Forwards: 70",
            f"From: <sip:+12125550123@{source}>;tag=a",
            f"To: <sip:{PROXY_NUMBER}@{BALANCER}>",
            f"Call-ID: {branch}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:a@{source}>",
            "Content-Length: 0",
        ]
        own.sendto("\r\n".join([*lines, "", ""]).encode(), to)
        answers = []
        try:
            while True:
                answers.append(own.recv(65536))
        except TimeoutError:
            return answers


def statuses(answers: list[bytes]) -> set[int]:
    return {int(answer[8:11]) for answer in answers}


HONEST = "SIP/2.0/UDP {source}:{port};branch={branch};rport"


def test_the_balancer_tells_who_asks(town: Fleet) -> None:
    # Nobody has a session with this caller.
    assert statuses(asked(town, CALLER, HONEST, (BALANCER, SIP))) == {100, 404}


@pytest.mark.parametrize("how", sorted(VIAS))
def test_a_stranger_gets_silence_whatever_their_via_says(town: Fleet, how: str) -> None:
    before = len(town.api.calls())
    # This balancer lets anybody pass, and says that it tries; a node says nothing.
    assert statuses(asked(town, STRANGER, VIAS[how], (BALANCER, SIP))) <= {100}
    assert asked(town, STRANGER, VIAS[how], (NODES[0], SIP)) == []
    assert len(town.api.calls()) == before


def test_who_talks_on_when_their_node_has_died_is_hung_up_by_another(
    town: Fleet, tmp_path: Path
) -> None:
    """The last of these tests: it closes the session."""
    before, number = len(town.api.calls()), 9
    files = SCENARIOS / "caller-hung-up.xml", SCENARIOS / "called.xml"
    with ThreadPoolExecutor() as threads:
        calls = Calls(number, per_second=9, talk_milliseconds=0, seconds=90)
        playing = threads.submit(town.play, tmp_path, *files, PROXY_NUMBER, calls)
        until(lambda: answered(town, before) == number, 20)
        killed = holder(town, before)
        killed.kill()
        try:
            until(lambda: are_over(carried(town, before, killed)), 60)
            assert not are_over(town.api.calls())
            town.api.close_sessions()
            assert playing.result() == (0, 0), errors(tmp_path)
        finally:
            killed.start()
    assert Counter(one["EndedBy"] for one in ended(town, before)) == {"us": number}


def carried(town: Fleet, before: int, node: Node) -> list[dict[str, Any]]:
    """The calls since then whose ids begin with this node's name."""
    found = town.api.calls()
    return [one for one in found[: len(found) - before] if one["CallId"].startswith(node.name)]
