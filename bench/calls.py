"""Calls: what the mask costs beside a bare relay, with the same phones on the same machine."""

import csv
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import processes
from acceptance.phones import CALLER_HOST, Calls, answering, listening, phone
from acceptance.service import Service, free_port, until
from cluster import Cluster
from connectors import open_connector
from processes import Groups, Meter, named
from relay import MediaPorts, Relay
from report import Report, middle, percentile

SCENARIOS = Path(__file__).with_name("sipp")
DESCRIPTION = """\
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15"""
NO_DESCRIPTION = "Content-Length: 0\n"
PROXY_NUMBERS = [f"+1913555{place:04}" for place in range(100, 110)]
SESSIONS = 100
TALK_MILLISECONDS = 300
CALL_SECONDS = 0.4  # it rings for 100 ms first
FAILURES_ALLOWED = 0.001
KEPT_UP = 0.9  # of the calls offered in a second, so many must be done in one
LATE_SECONDS = 6
ANY_NUMBER = 1_000_000
PARTS = ("Kamailio", "rtpengine", "maskline", "PostgreSQL")


@dataclass(frozen=True)
class Scale:
    """How long a run at one rate lasts, and the rates (calls/s) that are tried."""

    seconds: float
    rounds: int
    rates: tuple[int, ...]


# Of what is sustained, the rate by which the load goes beyond it.
BEYOND = 2

FULL = Scale(3.0, 2, (50, 100, 150, 200, 300, 400, 600, 800, 1100, 1500))
SHORT = Scale(1.0, 1, (20,))


@dataclass(frozen=True)
class Way:
    """One way that calls take: the phones' next hop, who carries them, what they say, where they
    are answered, and who calls whom (a file)."""

    name: str
    sip: str
    processes: Callable[[], Groups]
    media: bool
    carrier: tuple[str, int]
    pairs: Path


@dataclass(frozen=True)
class Load:
    """What became of the calls of one run: so many went to their end, so many were refused with
    503. CPU in seconds by part, delays in milliseconds; `whole` tells whether every process lived
    through it."""

    rate: float
    number: int
    completed: int
    refused: int
    seconds: float
    cpu: dict[str, float]
    delays: list[float]
    whole: bool

    @property
    def failed(self) -> int:
        return self.number - self.completed

    @property
    def per_second(self) -> float:
        """Calls begun in a second: what was offered, unless the phones could not keep up."""
        return self.number / (self.seconds - CALL_SECONDS)

    @property
    def fault(self) -> str:
        """What went wrong; nothing when the rate was sustained."""
        if not self.whole:
            return f"{self.rate}: a process died and was started again"
        if self.failed > FAILURES_ALLOWED * self.number:
            return f"{self.rate}: {self.failed} of {self.number} failed"
        if self.per_second < KEPT_UP * self.rate:
            return f"{self.rate}: only {self.per_second:.0f} calls/s begun"
        return ""

    def cpu_per_call(self, part: str) -> float:
        """Milliseconds."""
        return self.cpu.get(part, 0.0) * 1000 / max(self.completed, 1)


@dataclass
class Result:
    """All that was measured of one way, and of what it is measured against. `sustained` in
    calls/s."""

    way: Way
    control: "Result | None" = None
    sustained: int = 0
    beyond: str = ""
    loads: list[Load] = field(default_factory=list)

    def cpu(self, *parts: str) -> float:
        """Median CPU per call of some parts together, in milliseconds."""
        return middle(sum(load.cpu_per_call(part) for part in parts) for load in self.loads)

    def faults(self) -> list[str]:
        """Why the CPU and the delays of this way cannot be compared with the others'."""
        found = [] if self.sustained else ["no rate was sustained, so there is no half of it"]
        return found + [load.fault for load in self.loads if load.fault]

    def delay(self, share: float) -> float:
        """A percentile of the time from INVITE to 180, in milliseconds."""
        return percentile([delay for load in self.loads for delay in load.delays], share)


def measure(
    service: Service,
    other: Service,
    cluster: Cluster,
    folder: Path,
    ports: MediaPorts,
    scale: Scale,
    report: Report,
) -> None:
    """Plays the calls and reports. `other` is a service on the PostgreSQL server `cluster`, `ports`
    the range for the bare rtpengine."""
    plain, media = made(folder / "plain"), made(folder / "media")
    with (
        Relay(plain, service.carrier, None).running() as bare,
        Relay(media, service.carrier, ports).running() as controlled,
    ):
        at = service.carrier_host, service.carrier_port
        there = other.carrier_host, other.carrier_port
        pairs, others = (sessions(one, folder) for one in (service, other))
        masked = ours(service)
        stored = ours(other, cluster)
        relay = Result(Way("bare relay", bare.sip, bare.processes, False, at, pairs))
        engine = Result(
            Way("bare relay + rtpengine", controlled.sip, controlled.processes, True, at, pairs)
        )
        results = [
            relay,
            Result(Way("masked", service.sip, masked, False, at, pairs), relay),
            Result(Way("masked, PostgreSQL", other.sip, stored, False, there, others), relay),
            engine,
            Result(Way("masked + rtpengine", service.sip, masked, True, at, pairs), engine),
        ]
        bench = Bench(folder)
        for result in results:
            climb(bench, result, scale)
        at_half_load(bench, results, scale)
        beyond = [
            (one.way, bench.load(one.way, BEYOND * max(one.sustained, 1), 3 * scale.seconds))
            for one in results
            if one.control  # at rates that SIPp has
        ]
    show(results, report)
    show_beyond(beyond, report)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def ours(service: Service, cluster: Cluster | None = None) -> Callable[[], Groups]:
    run = (service.data / "run").resolve()
    return lambda: {
        "Kamailio": named(run, "kamailio"),
        "rtpengine": named(run, "rtpengine"),
        "maskline": processes.service(service.process.pid),
        "PostgreSQL": cluster.processes() if cluster else [],
    }


def sessions(service: Service, folder: Path) -> Path:
    """Opens sessions; gives a file of who calls whom as SIPp reads it."""
    service.import_numbers("acme", *PROXY_NUMBERS)
    chime = service.client()
    connector = open_connector(chime)
    lines = ["SEQUENTIAL"]
    for place in range(SESSIONS):
        caller, called = f"+1206556{place:04}", f"+1206557{place:04}"
        session = chime.create_proxy_session(
            VoiceConnectorId=connector,
            ParticipantPhoneNumbers=[caller, called],
            Capabilities=["Voice"],
        )["ProxySession"]
        lines.append(f"{caller};{session['Participants'][0]['ProxyPhoneNumber']}")
    pairs = folder / f"calls-{service.sip_port}.csv"
    pairs.write_text("\n".join(lines) + "\n")
    return pairs


@dataclass
class Bench:
    """The two phones, and where they keep what they note."""

    folder: Path
    runs: int = 0

    def load(self, way: Way, rate: int, seconds: float) -> Load:
        """Calls at an even rate for some seconds."""
        self.runs += 1
        own = made(self.folder / f"run{self.runs}")
        calls = Calls(
            number=int(rate * seconds),
            per_second=rate,
            talk_milliseconds=TALK_MILLISECONDS,
            seconds=int(seconds) + LATE_SECONDS,
        )
        with self._answering(own, way, calls):
            meter, begin = Meter(way.processes), time.monotonic()
            ended(self._caller(own, way, calls), calls.seconds + LATE_SECONDS)
            took = time.monotonic() - begin
            time.sleep(0.3)  # the last reports of the last calls
            cpu, whole = meter.spent(), meter.whole
        trace = traced(own)
        refused = len(
            {line[4] for line in trace if line[3] == "R" and line[6][:11] == "SIP/2.0 503"}
        )
        completed = successes(own / "caller.csv") - refused
        return Load(rate, calls.number, completed, refused, took, cpu, delays(trace), whole)

    def _caller(self, own: Path, way: Way, calls: Calls) -> "subprocess.Popen[bytes]":
        return phone(
            own, scenario(own, "caller", way.media), "caller", CALLER_HOST, free_port(CALLER_HOST),
            calls, way.sip, "-r", str(calls.per_second), "-d", str(calls.talk_milliseconds),
            "-l", str(calls.number), "-inf", str(way.pairs),
            "-trace_shortmsg", "-trace_stat", "-stf", str(own / "caller.csv"),
        )  # fmt: skip

    @contextmanager
    def _answering(self, own: Path, way: Way, calls: Calls) -> Iterator[None]:
        host, port = way.carrier
        until(lambda: not listening(host, port, "udp"))
        # What is still hung up of calls that overload broke counts as a call, too.
        calls = replace(calls, number=ANY_NUMBER)
        with answering(own, scenario(own, "called", way.media), host, port, calls):
            yield


def ended(phone: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Waits for a phone, but not for ever: SIPp has hung where it could not keep up."""
    try:
        phone.wait(seconds)
    except subprocess.TimeoutExpired:
        phone.kill()
        phone.wait()


def scenario(folder: Path, name: str, media: bool) -> Path:
    text = (SCENARIOS / f"{name}.xml").read_text()
    body = DESCRIPTION if media else NO_DESCRIPTION
    made = folder / f"{name}.xml"
    made.write_text(text.replace("BODY\n]]>", f"{body}\n]]>"))
    return made


def successes(statistics: Path) -> int:
    """SIPp's own count of calls that went to their end, from its last line."""
    with statistics.open(newline="") as file:
        *_, last = csv.DictReader(file, delimiter=";")
    return int(last["SuccessfulCall(C)"])


def traced(folder: Path) -> list[list[str]]:
    """The trace of the caller's messages: for each, among others, its time, S or R for sent or
    received, its Call-ID, its CSeq and its first line."""
    (file,) = folder.glob("caller_*_shortmessages.log")
    return [line.split("\t") for line in file.read_text().splitlines()]


def delays(trace: list[list[str]]) -> list[float]:
    """Milliseconds from INVITE to 180 of every call: SIPp's own response times have a resolution of
    some milliseconds."""
    sent: dict[str, float] = {}
    rang: dict[str, float] = {}
    for _, _, stamp, way, call, cseq, start in trace:
        if way == "S" and start.startswith("INVITE "):
            sent.setdefault(call, float(stamp))
        elif way == "R" and start.startswith("SIP/2.0 180 ") and cseq.endswith("INVITE"):
            rang.setdefault(call, float(stamp))
    return [(rang[call] - sent[call]) * 1000 for call in rang]


def climb(bench: Bench, result: Result, scale: Scale) -> None:
    """Tries higher and higher rates until one is too high, twice."""
    for rate in scale.rates:
        for _ in range(2):
            load = bench.load(result.way, rate, scale.seconds)
            if not load.fault:
                break
            result.beyond = load.fault
            time.sleep(1)  # what is still repeated dies down
        else:
            return
        result.sustained = rate
        result.beyond = ""


def at_half_load(bench: Bench, results: Sequence[Result], scale: Scale) -> None:
    """Each of ours and its control at half the rate that ours sustains, in turns."""
    groups = [
        [control, *(one for one in results if one.control is control)]
        for control in results
        if control.control is None
    ]
    for _ in range(scale.rounds):
        for group in groups:
            rate = max(min(one.sustained for one in group[1:]), scale.rates[0]) // 2
            for result in group:
                result.loads.append(bench.load(result.way, rate, 2 * scale.seconds))


def show(results: Sequence[Result], report: Report) -> None:
    report.heading("Calls: CPU, at half the rate that the masked one sustains")
    headings = ["CPU ms per call", "calls/s", *PARTS, "all", "Kamailio ×", "all ×"]
    report.table(headings, [cpu_row(result) for result in results])
    relay, masked = results[0], results[-1]
    ratio = masked.cpu(*PARTS) / relay.cpu(*PARTS)
    report.say("", f"masked + rtpengine / bare relay, all: {ratio:.2f} ×")
    for result in results:
        for fault in result.faults():
            report.say("", f"NOT SOUND, {result.way.name}: {fault}")
    report.heading("Calls: time from INVITE to 180, in the same runs")
    headings = ["milliseconds", "p50", "p99", "added p50", "added p99"]
    report.table(headings, [delay_row(result) for result in results])
    report.heading("Calls: the highest rate sustained")
    headings = ["", "calls/s", "what went wrong at the next step"]
    report.table(headings, [[r.way.name, str(r.sustained), r.beyond or "-"] for r in results])


def show_beyond(loads: Sequence[tuple[Way, Load]], report: Report) -> None:
    report.heading(f"Calls: at {BEYOND} × the rate that is sustained")
    headings = ["calls/s", "offered", "carried", "refused", "failed"]
    rows = []
    for way, load in loads:
        parts = (load.completed, load.refused, load.failed - load.refused)
        rates = [f"{part * load.rate / load.number:.0f}" for part in parts]
        rows.append([way.name, f"{load.rate:.0f}", *rates])
    report.table(headings, rows)


def cpu_row(result: Result) -> list[str]:
    control = result.control or result
    parts = [f"{result.cpu(part):.3f}" for part in PARTS]
    kamailio = result.cpu("Kamailio") / control.cpu("Kamailio")
    every = result.cpu(*PARTS) / control.cpu(*PARTS)
    rate = f"{result.loads[0].rate:.0f}"
    return [
        result.way.name, rate, *parts,
        f"{result.cpu(*PARTS):.3f}", f"{kamailio:.2f}", f"{every:.2f}",
    ]  # fmt: skip


def delay_row(result: Result) -> list[str]:
    shares, control = (0.5, 0.99), result.control
    own = [f"{result.delay(share):.1f}" for share in shares]
    if control is None:
        return [result.way.name, *own, "", ""]
    return [
        result.way.name,
        *own,
        *(f"{result.delay(share) - control.delay(share):+.1f}" for share in shares),
    ]
