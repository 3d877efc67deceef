"""Three SIP nodes over one database behind a balancer, and the phones of a carrier: a machine for
each, in network namespaces."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from acceptance.leak_scenarios import CALLER_NUMBER
from acceptance.lines import Line
from acceptance.namespaces import NETWORK, Network, inside, within
from acceptance.phones import Calls
from acceptance.service import READY_SECONDS, Service, until
from cluster import Cluster

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "balancer.cfg"
BALANCER, CALLER, CALLED, STRANGER = (f"{NETWORK}.{n}" for n in (9, 11, 12, 66))
NODES = [f"{NETWORK}.{n}" for n in (1, 2, 3)]
SIP, CARRIER, DOOR = 5060, 5080, 5070

NODE_SETTINGS = """\
data_dir = "data"
store.url = "{url}"
store.key = "{shared}/store.key"
[sip]
listen = ["udp:{host}:5060"]
advertise = ["udp:{balancer}:5060"]
balancers = ["{balancer}/32"]
mask_keys = "{keys}"
[media]
address = "{host}"
control = "{host}:2223"
ports = "30000-30999"
[log]
format = "json"
[[carriers]]
name = "acme"
[carriers.sip]
address = "{called}:5080"
sources = ["{caller}/32", "{called}/32"]
"""


@dataclass
class Node(Service):
    host: str = ""
    namespace: str = ""
    settings: str = ""

    def __post_init__(self) -> None:
        self.config.write_text(self.settings)

    def launch(self) -> None:
        with (self.folder / "output").open("wb") as output, (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(*within(self.namespace), sys.executable, "-m", "maskline", "serve"),
                    *("--role", "sip", "--config", str(self.config)),
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=log,
            )  # fmt: skip

    @property
    def name(self) -> str:
        """What its calls' ids begin with."""
        return (self.data / "node").read_text()


class Edge(Line):
    """Where a carrier's phone meets the network: its requests go to the balancer, its replies back
    to where the topmost Via says, as RFC 3261 18.2.2 has it."""

    def _from_phone(self, _desk: object) -> None:
        message = self.desk.recv(65536)
        to = self.server
        if message.startswith(b"SIP/2.0 "):
            sent_by = message.split(b"Via: SIP/2.0/UDP ")[1].split(b";")[0].decode()
            host, _, port = sent_by.partition(":")
            to = host, int(port or SIP)
        self._door.sendto(message, to)


@dataclass
class Fleet:
    folder: Path
    url: str
    network: Network
    api: Service
    nodes: list[Node] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def build(self) -> None:
        self.keys = self.folder / "mask.key"
        self.phones = self.network.machine("phones", 11, 12, 66)
        for number, host in enumerate(NODES, 1):
            self.nodes.append(self.node(host, self.network.machine(f"n{number}", number)))
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            until(lambda node=node: node.ready or node.process.poll() is not None, READY_SECONDS)
            assert node.process.poll() is None, node.log
        self.stack.callback(self.stop)
        self._start_balancer(self.network.machine("balancer", 9))

    def node(self, host: str, namespace: str, keys: Path | None = None) -> Node:
        folder = self.folder / f"node-{host}{'-other' if keys else ''}"
        folder.mkdir()
        settings = NODE_SETTINGS.format(
            url=self.url, shared=self.folder, host=host, balancer=BALANCER, caller=CALLER,
            called=CALLED, keys=keys or self.keys,
        )  # fmt: skip
        return Node(folder, host=host, namespace=namespace, settings=settings)

    def _start_balancer(self, namespace: str) -> None:
        """That of the guide; it also says where it sends what."""
        text = GUIDE.read_text().replace("203.0.113.5", BALANCER)
        text = text.replace("192.0.2.0/24", f"{NETWORK}.0/24")
        told = 'xlog("L_ALERT", "SENT $ci $rm $si $du\\n");\n\t'
        for step in ('t_on_failure("NEXT");', "forward();"):
            text = text.replace(step, told + step)
        text = text.replace("/etc/kamailio/nodes.list", str(self.folder / "nodes.list"))
        (self.folder / "balancer.cfg").write_text(text)
        listed = "".join(f"1 sip:{host}:{SIP}\n" for host in NODES)
        (self.folder / "nodes.list").write_text(listed)
        self.log = self.folder / "balancer.log"
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [
                    *(*within(namespace), "kamailio", "-f", str(self.folder / "balancer.cfg")),
                    *("-DD", "-E", "-m", "64", "-M", "8", "-Y", str(self.folder), "-w", "/"),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()
            assert node.processes() == []

    def sent(self) -> list[list[str]]:
        """Call-ID, method, source and node of each request that the balancer passed on."""
        lines = self.log.read_text().splitlines()
        return [line.split("SENT ")[1].split() for line in lines if "SENT " in line]

    @contextmanager
    def edges(self) -> Iterator[tuple[Edge, Edge]]:
        """The caller's and the called's; the phones are at 5061 and 5062."""
        with inside(self.phones):
            calling = Edge("udp", (BALANCER, SIP), CALLER, DOOR, (CALLER, 5061))
            called = Edge("udp", (BALANCER, SIP), CALLED, CARRIER, (CALLED, 5062))
        try:
            yield calling, called
        finally:
            calling.close()
            called.close()

    def play(
        self, folder: Path, caller: Path, called: Path, number: str, calls: Calls, *more: str
    ) -> tuple[int, int]:
        """SIPp's exit statuses: 0 when every call went as its scenario says."""
        with self.edges() as (calling, _):
            answering = self._phone(folder, called, "called", CALLED, 5062, calls)
            time.sleep(0.5)
            keys = ["-s", number, "-r", str(calls.per_second), "-d", str(calls.talk_milliseconds)]
            keys += ["-key", "caller", CALLER_NUMBER, *more]
            asking = self._phone(folder, caller, "caller", CALLER, 5061, calls, calling.own, *keys)
            return asking.wait(calls.seconds + 10), answering.wait(calls.seconds + 10)

    def _phone(
        self,
        folder: Path,
        scenario: Path,
        name: str,
        host: str,
        port: int,
        calls: Calls,
        *more: str,
    ) -> "subprocess.Popen[bytes]":
        command = [*within(self.phones), "sipp", "-sf", str(scenario), "-i", host, "-mi", host]
        command += ["-p", str(port), "-mp", "20000" if name == "caller" else "21000"]
        command += ["-m", str(calls.number), "-nostdin", "-deadcall_wait", "0"]
        command += ["-timeout", f"{calls.seconds}s", "-timeout_error"]
        command += ["-trace_err", "-error_file", str(folder / f"{name}.errors"), *more]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=folder)

    @contextmanager
    def capture(self, file: Path) -> Iterator[None]:
        """Everything that reaches the phones from the network."""
        kept = f"dst host {CALLER} or dst host {CALLED}"
        command = [*within(self.phones), "dumpcap", "-q", "-i", "eth0", "-f", kept]
        with subprocess.Popen(
            [*command, "-P", "-w", str(file)], stderr=subprocess.DEVNULL
        ) as dumpcap:
            until(lambda: file.exists() and file.stat().st_size > 0)
            try:
                yield
                time.sleep(0.6)  # it is given what came each quarter of a second
            finally:
                dumpcap.send_signal(signal.SIGTERM)


@contextmanager
def fleet(folder: Path, cluster: Cluster) -> Iterator[Fleet]:
    """Raises PermissionError where namespaces cannot be made."""
    url = cluster.new_database()
    network = Network()
    with ExitStack() as stack:
        stack.callback(network.close)
        (folder / "api").mkdir()
        shared = f'store.url = "{url}"\nstore.key = "{folder / "store.key"}"\n'
        api = Service(folder / "api", more_settings=shared, role="api")
        stack.callback(api.stop)
        api.start()
        town = Fleet(folder, url, network, api)
        stack.enter_context(town.stack)
        town.build()
        yield town
