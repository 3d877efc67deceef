"""Every function of Kamailio's script fails, one after the other, while two phones that mark all
they say call each other, change their calls and hang up: nothing of either reaches the other.

The same where the control plane and rtpengine answer rubbish. `make fuzz` tries each function, by
`MASKLINE_ALL_FAULTS=1`; otherwise a share of them.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from acceptance.leak_scenarios import CALLED_NUMBER, CALLER_NUMBER
from acceptance.marked_phones import KEY_PRESS, MarkedPhone, until_quiet
from acceptance.peers import header
from acceptance.phones import BOTH_HOSTS, CALLED_HOST, CALLER_HOST
from acceptance.service import Service, running, until
from acceptance.tampering import changed_script
from acceptance.test_leak import PROXY_NUMBER, leaks, open_session

pytestmark = pytest.mark.long

SHARE = 1 if os.environ.get("MASKLINE_ALL_FAULTS") else 8
FINALS = (200, 486, 503, 0)
ALWAYS = ("no ", "KSR.", "gate.Gate.leave")
UNUSED = ("routes.Routes.child_init", "routes.Routes.may_connect")


def with_faults(copy: Path) -> None:
    shutil.copy(Path(__file__).with_name("faults.py"), copy / "maskline_sip")
    script = copy / "script.py"
    text = script.read_text()
    script.write_text(
        text.replace(
            "from maskline_sip.routes", "from maskline_sip import faults\nfrom maskline_sip.routes"
        ).replace("    return Routes(", "    faults.install()\n    return Routes(")
    )


@dataclass
class Stage:
    """Two phones with a call between them."""

    service: Service
    caller: MarkedPhone
    called: MarkedPhone
    number: int = 10
    made: int = 0
    looked_at: int = 0
    sides: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    def plant(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):  # Kamailio is being started again
            self._file("fault").write_text(name)
            self._file("fault").chmod(0o644)

    def told(self, file: str) -> set[str]:
        """What was called, or what failed."""
        found = self._file(file)
        return set(found.read_text().split("\n")) - {""} if found.exists() else set()

    def _file(self, name: str) -> Path:
        return self.service.data / "run" / "kamailio" / name

    def invite(self, **how: bool) -> str:
        """An INVITE that makes a new call."""
        self.made += 1
        call = f"SECA_CID{self.made}@{CALLER_HOST}"
        own = f"{self.caller.server[0]}:{self.caller.server[1]}"
        uri = f"sip:{PROXY_NUMBER}@{own}"
        body = self.caller.description
        return self.caller.request("INVITE", uri, f"<{uri}>", call, 1, body=body, **how)

    def connect(self) -> None:
        """Makes the call that stays, until a BYE in it. Kamailio may be being started again, after
        a fault: then the one before stays."""
        self.caller.hangs_up, self.called.turns = False, itertools.cycle(FINALS)
        with contextlib.suppress(AssertionError):
            until(self._connected, 5)
        self.caller.hangs_up = True

    def _connected(self) -> bool:
        """Whether there is one, and what each side must say in it."""
        invite = self.invite()
        self.caller.tell(invite)
        call = header(invite, "Call-ID")
        with contextlib.suppress(AssertionError):  # not in time
            answer = until(lambda: find(self.caller, "SIP/2.0 200", call), 2)
            received = until(lambda: find(self.called, "INVITE"), 2)
            self.sides["caller"] = header(answer, "Contact").strip("<>"), header(answer, "To"), call
            peer, its = header(received, "From"), header(received, "Call-ID")
            self.sides["called"] = header(received, "Contact").strip("<>"), peer, its
            self.stray = self.called.reply(received, 200, self.called.description)
            self.within(self.caller, "caller", "ACK", number=1)
            return bool(until(lambda: find(self.called, "ACK"), 2))
        return False

    def within(
        self, phone: MarkedPhone, side: str, method: str, body: str = "", number: int = 0
    ) -> None:
        """A request in the call that stays."""
        self.number += 1
        uri, peer, call = self.sides[side]
        text = phone.request(method, uri, peer, call, number or self.number, body=body)
        phone.tell(text)

    def renew(self) -> None:
        """Has Kamailio started again; it is up when this returns."""
        killed = self.service.engine_pid("kamailio")
        os.kill(killed, signal.SIGKILL)
        until(lambda: self.service.engine_pid("kamailio") not in (0, killed), 20)
        until(lambda: self.service.health()[0] == 200, 20)

    def talk(self) -> None:
        """What phones can say, all at once: calls that are taken, refused, given up; requests of
        both sides within a call; what belongs to nothing any more."""
        new = [self.invite(), self.invite(compact=True), self.invite(), self.invite()]
        for text in new:
            self.caller.tell(text)
        for phone, side in ((self.caller, "caller"), (self.called, "called")):
            for method in ("INVITE", "UPDATE"):
                self.within(phone, side, method, phone.description)
            self.within(phone, side, "INFO", KEY_PRESS)
            for method in ("OPTIONS", "BYE", "ACK", "REFER"):
                self.within(phone, side, method)
        self.called.tell(self.stray)
        until_quiet(self.caller, self.called)
        for text in new:
            start, rest = text.split(" SIP/2.0\r\n", 1)
            cancel = start.replace("INVITE", "CANCEL") + " SIP/2.0\r\n" + rest
            self.caller.tell(cancel.replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL"))
        until_quiet(self.caller, self.called)

    def heard(self) -> list[tuple[str, bytes]]:
        """What each phone heard since it was last asked, by its address."""
        found = []
        for phone in (self.caller, self.called):
            found += [(phone.host, data) for data in phone.heard]
            phone.heard.clear()
        return found


def find(phone: MarkedPhone, start: str, call: str = "") -> str | None:
    """The latest that it heard and that begins so, of this call."""
    heard = [data.decode("latin-1") for data in phone.heard if data.startswith(start.encode())]
    return next((text for text in reversed(heard) if call in text), None)


@contextmanager
def staged(folder: Path, change: Callable[[Path], None]) -> Iterator[Stage]:
    """A stage whose service runs a changed script."""
    environment = changed_script(folder, change)
    for service in running(
        folder, carrier_host=CALLED_HOST, sources=BOTH_HOSTS, more_environment=environment
    ):
        open_session(service)
        server, port = ("127.0.0.1", service.sip_port), service.carrier_port
        caller = MarkedPhone("SECA", CALLER_NUMBER, CALLER_HOST, server)
        called = MarkedPhone("SECB", CALLED_NUMBER, CALLED_HOST, server, port, FINALS)
        try:
            stage = Stage(service, caller, called)
            stage.connect()
            yield stage
        finally:
            caller.close()
            called.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("faults"), with_faults) as stage:
        yield stage


def with_open_gate(copy: Path) -> None:
    """What the gate was not told of goes out as it is."""
    with_faults(copy)
    template = copy / "kamailio.cfg.template"
    before, gate, after = template.read_text().partition("route[GATE] {\n")
    shut = '$$(avp(leaving)[*]) = "\\r\\n\\r\\n";'
    assert shut in after
    after = after.replace(shut, "$$(avp(leaving)[*]) = $$null;", 1)
    template.write_text(before + gate + after.replace("abort();", '$$var(more) = "";'))


def test_an_open_gate_would_be_seen(tmp_path: Path) -> None:
    """A leak test that could not fail would prove nothing."""
    with staged(tmp_path, with_open_gate) as stage:
        assert leaks(stage.heard()) == Counter()
        stage.plant("KSR.tm.t_on_reply")
        seen: set[str] = set()

        def both_seen() -> bool:
            stage.talk()
            seen.update(host for host, _ in leaks(stage.heard()))
            return seen == {CALLER_HOST, CALLED_HOST}

        until(both_seen, 30)


def chosen(names: set[str]) -> list[str]:
    always = {name for name in names if name.startswith(ALWAYS)}
    return sorted({*always, *sorted(names - always)[::SHARE]})


def shows(stage: Stage, name: str) -> bool:
    """Plants a fault and looks at what is heard; whether it has shown. It has not while Kamailio is
    started again, as after some faults."""
    assert leaks(stage.heard()) == Counter()
    stage.connect()
    stage.plant(name)
    stage.talk()
    shown = name.partition("=")[0] in stage.told("failed")
    stage.plant("")
    if name.startswith("no "):  # the error stays in each worker that met it, and spoils all it does
        stage.renew()
    received = stage.heard()
    stage.looked_at += len(received)
    assert leaks(received) == Counter(), name
    return shown


def shows_soon(stage: Stage, name: str) -> bool:
    for _ in range(3):
        if shows(stage, name):
            return True
        until(lambda: works(stage), 60)
    return False


def works(stage: Stage) -> bool:
    """Whether calls are put through again."""
    stage.talk()
    return any(data.startswith(b"SIP/2.0 180") for data in stage.caller.heard)


def told_of(stage: Stage, what: str, names: list[str]) -> None:
    hidden = [name for name in names if not shows_soon(stage, name)]
    places = stage.caller.sent + stage.called.sent
    print(f"\n{what}; so far {places} places marked, {stage.looked_at} messages looked at")
    assert len(hidden) <= len(names) // 10, hidden  # some are called once in a process's life
    until(lambda: works(stage), 60)


def test_nothing_passes_whatever_fails(stage: Stage) -> None:
    stage.plant("record")
    for _ in range(2):
        stage.talk()
    names = stage.told("called") - set(UNUSED)
    stage.plant("")
    assert len(names) > 80, names
    assert leaks(stage.heard()) == Counter()
    told_of(stage, f"{len(chosen(names))} faults of {len(names)}", chosen(names))


BACK = (
    f"v=0\r\no=SECA 1 1 IN IP4 {CALLER_HOST}\r\ns=SECA\r\nc=IN IP4 {CALLER_HOST}\r\nt=0 0\r\n"
    "m=audio 17000 RTP/AVP 8\r\na=SECA\r\n"
)
ELSEWHERE = {"CarrierName": "SECA", "Address": CALLER_HOST, "Transport": "udp"}
RUBBISH: list[tuple[str, Any]] = [
    ("switch.Switch.ask", {}),
    ("switch.Switch.ask", "SECA"),
    ("switch.Switch.ask", {"Decision": "Reject", "SipStatus": "SECA"}),
    ("switch.Switch.ask", {"Decision": "Connect"}),
    ("switch.Switch.ask", {"Decision": "Connect", "CallId": "x", "Targets": [ELSEWHERE]}),
    ("media.Media._command", {}),
    ("media.Media._command", {"result": "error", "error-reason": f"SECA {CALLER_HOST}"}),
    ("media.Media._command", {"result": "ok", "sdp": "SECA"}),
    ("media.Media._command", {"result": "ok", "sdp": BACK}),
    ("media.Media._command", {"result": "ok", "sdp": BACK.replace("SECA", "SECB")}),
    ("routes.put", None),  # as where Kamailio has no memory for what it is given
]


def test_nothing_passes_whatever_the_others_answer(stage: Stage) -> None:
    names = [f"{name}={json.dumps(answer)}" for name, answer in RUBBISH]
    told_of(stage, f"{len(names)} wrong answers", names)
