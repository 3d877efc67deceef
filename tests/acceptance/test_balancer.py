"""The balancer of the guide, between a carrier and two nodes that the tests play."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from acceptance.fleet import GUIDE
from acceptance.peers import Peer, header, ignore, reply
from acceptance.service import until
from ports import free_port

from maskline_sip import sip
from maskline_sip.balancers import source_behind

BALANCER, CARRIER, STRANGER = "127.0.0.9", "127.0.0.11", "127.0.0.66"
SILENCE = 300  # milliseconds that a node may say nothing to an INVITE; four seconds in the guide


class Phone:
    """Somebody's socket."""

    def __init__(self, host: str, balancer: tuple[str, int]) -> None:
        self.host, self._balancer = host, balancer
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(5)
        self.port = self.socket.getsockname()[1]

    def written(self, method: str, via: str = "", hops: int = 70, to: str = ";tag=b") -> str:
        branch = f"branch=z9hG4bK{os.urandom(6).hex()}"
        lines = (
            f"{method} sip:n@{BALANCER} SIP/2.0",
            f"Via: SIP/2.0/UDP {via or f'{self.host}:{self.port}'};{branch}",
            f"Max-Forwards: {hops}", f"From: <sip:a@{self.host}>;tag=a", f"To: <sip:n@h>{to}",
            f"Call-ID: {branch}", f"CSeq: 1 {method}", "Content-Length: 0", "", "",
        )  # fmt: skip
        return "\r\n".join(lines)

    def send(self, text: str) -> str:
        self.socket.sendto(text.encode(), self._balancer)
        return text

    def final(self) -> int:
        while (text := self.socket.recv(65536).decode()).startswith("SIP/2.0 1"):
            pass
        return int(text[8:11])


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Peer]]:
    played = [Peer(host=f"127.0.0.{number}") for number in (21, 22)]
    yield played
    for node in played:
        node.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, nodes: list[Peer]) -> Iterator[tuple[str, int]]:
    folder, port = tmp_path_factory.mktemp("balancer"), free_port(BALANCER)
    (folder / "nodes.list").write_text("".join(f"1 sip:{node.where}\n" for node in nodes))
    text = GUIDE.read_text().replace("203.0.113.5:5060", f"{BALANCER}:{port}")
    text = text.replace("192.0.2.0/24", f"{CARRIER}/32").replace('"4000"', f'"{SILENCE}"')
    text = text.replace("/etc/kamailio/nodes.list", str(folder / "nodes.list"))
    (folder / "balancer.cfg").write_text(text)
    options = ("-DD", "-E", "-m", "64", "-M", "8", "-Y", str(folder), "-w", "/")
    with (folder / "log").open("wb") as log:
        command = ["kamailio", "-f", str(folder / "balancer.cfg"), *options]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    until(lambda: all(node.of("OPTIONS") for node in nodes), 20)
    yield BALANCER, port
    process.terminate()
    process.wait()


@pytest.fixture
def carrier(place: tuple[str, int], nodes: list[Peer]) -> Iterator[Phone]:
    for node in nodes:
        node.received.clear()
        node.answer = ignore
    phone = Phone(CARRIER, place)
    with closing(phone.socket):
        yield phone


def got(nodes: list[Peer], method: str) -> list[list[str]]:
    """What each node got of a method, repetitions included."""
    return [[one for one in node.received if one.startswith(method)] for node in nodes]


def test_a_node_answers_who_asks_whether_we_work(carrier: Phone) -> None:
    """Many ask so that nobody passes it on."""
    carrier.send(carrier.written("OPTIONS", hops=0, to=""))
    assert carrier.final() == 200


@pytest.mark.parametrize(("method", "status"), [("INVITE", 483), ("CANCEL", 481)])
def test_what_goes_nowhere_is_answered(
    carrier: Phone, nodes: list[Peer], method: str, status: int
) -> None:
    carrier.send(carrier.written(method, hops=0 if method == "INVITE" else 70))
    assert carrier.final() == status
    assert got(nodes, method) == [[], []]


@pytest.mark.parametrize(
    "told",
    ["", ";received={0}", ";received={0};received={0}", ";rport;received={0}", ";x;Received={0}"],
)
@pytest.mark.parametrize("sent_by", ["{1}", "{0}:5060", "h.example"])
def test_a_node_learns_who_asks_or_believes_nobody(
    carrier: Phone, nodes: list[Peer], told: str, sent_by: str
) -> None:
    """Whatever the sender wrote of themselves into their Via."""
    carrier.send(carrier.written("INFO", f"{sent_by}{told}".format("192.0.2.1", CARRIER)))
    until(lambda: any(got(nodes, "INFO")))
    ((asked,),) = filter(None, got(nodes, "INFO"))
    source = source_behind(sip.parse(asked.encode()))
    assert (source and source.address) in ({CARRIER, None} if told else {CARRIER})


def test_replies_go_where_the_via_says(carrier: Phone, nodes: list[Peer]) -> None:
    """Who sends from another port than they listen at need not know of rport (RFC 3581)."""
    for node in nodes:
        node.answer = lambda _, request: [reply(request, 200)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind((CARRIER, 0))
        listening.settimeout(5)
        for method in ("INFO", "INVITE"):
            carrier.send(carrier.written(method, f"{CARRIER}:{listening.getsockname()[1]}"))
            while not listening.recv(65536).startswith(b"SIP/2.0 200"):
                pass


def test_a_new_call_that_a_node_says_nothing_to_goes_to_another(
    carrier: Phone, nodes: list[Peer]
) -> None:
    carrier.send(carrier.written("INVITE", to=""))
    until(lambda: all(got(nodes, "INVITE")), 10)


def test_nobody_but_a_node_has_a_reply_sent_on(
    place: tuple[str, int], carrier: Phone, nodes: list[Peer]
) -> None:
    told = f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {BALANCER}:{place[1]};branch=z9hG4bKx\r\n"
    text = told + carrier.written("INFO").partition("\r\n")[2]
    for host in (STRANGER, CARRIER):
        sender = Phone(host, place)
        with closing(sender.socket):
            sender.send(text)
    nodes[0].send(text, place)
    assert carrier.final() == 200
    carrier.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        carrier.final()


def test_what_is_repeated_meets_one_node_as_long_as_it_lives(
    carrier: Phone, nodes: list[Peer]
) -> None:
    """However long the other party takes; then another one. The last of these tests: it leaves one
    node alone."""
    info = carrier.send(carrier.written("INFO"))
    until(lambda: any(got(nodes, "INFO")))
    first = nodes[0] if got(nodes, "INFO")[0] else nodes[1]
    other = next(node for node in nodes if node is not first)
    carrier.send(info)
    until(lambda: len(got([first], "INFO")[0]) == 2)
    vias = {header(one, "Via") for one in got([first], "INFO")[0]}
    assert len(vias) == 1  # for the node it is the same request
    first.answer = lambda *_: []

    def asked_again() -> bool:
        carrier.send(info)
        return bool(got([other], "INFO")[0])

    until(asked_again, 10)
