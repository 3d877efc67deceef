"""Kamailio, the control plane and a media engine, as Kamailio's script meets them: whole messages
go in, and all that the script did with them is told. The real ones run in tests/acceptance."""

from __future__ import annotations

import base64
import importlib
import time
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import KSR

from maskline_sip import digest, gate, routes, sdp, sip
from maskline_sip.settings import Settings

ANN, BEN, PROXY = "+12065550100", "+14015550101", "+19135550199"
SECRET, SALT = "s3cret", "5a17" * 8
OURS = "192.0.2.100"
ACME, GLOBEX, INITECH, STRANGER = "192.0.2.1", "192.0.2.82", "192.0.2.93", "192.0.2.74"
CONTROL = "127.0.0.1:5999"
SDP = "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 8\r\n"
OFFER = SDP.format("192.0.2.11", 4000).encode()
RELAYED = SDP.format("192.0.2.200", 6000).encode()
CALL = "aaaaaaaa-1111"
CHALLENGE = ("WWW-Authenticate", 'Digest realm="initech", nonce="n1", algorithm=MD5, qop="auth"')
PROXYS_CHALLENGE = ("Proxy-Authenticate", CHALLENGE[1])

# What Kamailio's functions say when nothing is the matter; of all others, 1.
USUAL = {"t_check_trans": -1, "t_is_canceled": -1, "t_branch_timeout": -1, "isflagset": -1}


class Kamailio:
    """The module `KSR`. `done` is what the script had it do, in order: the functions' names and
    what they were given; `says` what a function returns where that is not the usual."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.tables: dict[tuple[str, str], Any] = {}
        self.done: list[tuple[Any, ...]] = []
        self.says: dict[str, int] = {}
        put = self.cells.__setitem__
        self.pv = SimpleNamespace(
            get=self.cells.get, sets=put, seti=put, unset=lambda name: self.cells.pop(name, None)
        )
        self.corex = self.hdr = self.htable = self.sl = self.tcpops = self.tls = self.tm = (
            self.tmx
        ) = self
        self.jsonrpcs = self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def function(*given: Any) -> int:
            self.done.append((name, *given))
            return self.says.get(name, USUAL.get(name, 1))

        return function

    def given(self, function: str) -> list[tuple[Any, ...]]:
        """What a function was given, each time."""
        return [tuple(given) for name, *given in self.done if name == function]

    def sht_get(self, table: str, name: str) -> Any:
        return self.tables.get((table, name))

    def sht_sets(self, table: str, name: str, value: str) -> None:
        self.tables[table, name] = value

    def sht_rm(self, table: str, name: str) -> None:
        self.tables.pop((table, name), None)

    def sht_inc(self, table: str, name: str) -> int:
        self.tables[table, name] = self.tables.get((table, name), 0) + 1
        return int(self.tables[table, name])


def loaded(name: str, kamailio: Any) -> ModuleType:
    """A module of the script, with this Kamailio."""
    KSR.kamailio = kamailio
    return importlib.import_module(f"maskline_sip.{name}")


class Control:
    """The control plane: what it answers to each question, or raises, and what it was told; or
    the `fault` of being told anything."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.answers: dict[str, Any] = {"RouteCall": route(), "GetLegs": {}}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.told: list[tuple[str, dict[str, Any]]] = []

    def ask(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, given))
        answer = self.answers[operation]
        if isinstance(answer, Exception):
            raise answer
        told: dict[str, Any] = answer
        return told

    def report(self, operation: str, given: dict[str, Any]) -> None:
        if self.fault:
            raise self.fault
        self.told.append((operation, {**given, "Timestamp": 0}))

    def events(self) -> list[dict[str, Any]]:
        """What was told of calls, but for the time and the legs."""
        hidden = ("Timestamp", "Legs")
        return [
            {name: value for name, value in given.items() if name not in hidden}
            for operation, given in self.told
            if operation == "ReportCall"
        ]


class Engine:
    """The media engine of this node; it raises `fault`, if there is one."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.faults: list[Exception | None] = []
        self.told_by_others = False  # since it was told by this node

    def offer(self, *given: Any) -> sdp.Description:
        self.done.append(("offer", *given))
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault
        return sdp.read(RELAYED)

    def answer(self, *given: Any) -> sdp.Description:
        self.done.append(("answer", *given))
        return sdp.read(RELAYED)

    def places(self, *_: Any) -> list[tuple[str, int]]:
        return [("192.0.2.11", 4000)]

    def knows(self, *_: Any) -> bool:
        return True

    def signalled_at(self, *_: Any) -> float:
        return time.time() + 1 if self.told_by_others else 0

    def play(self, *given: Any) -> int:
        self.done.append(("play", *given))
        return 1000

    def delete(self, *given: Any) -> None:
        self.done.append(("delete", *given))

    def delete_second(self, call: str) -> None:
        self.done.append(("delete second", call))

    def given(self, command: str) -> list[tuple[Any, ...]]:
        return [tuple(given) for name, *given in self.done if name == command]


def target(carrier: str = "globex", address: str = f"{GLOBEX}:5060", **more: str) -> dict[str, str]:
    numbers = {"Transport": "udp", "Caller": PROXY, "Called": BEN}
    return {"CarrierName": carrier, "Address": address, **numbers, **more}


def route(*targets: dict[str, str], **more: Any) -> dict[str, Any]:
    """The verdict of the control plane that a call is to be made."""
    told = {"Decision": "Connect", "CallId": CALL, "MaxRingSeconds": 60}
    return {**told, "Targets": [*targets] or [target()], **more}


def carrier(name: str, address: str, **more: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("domain", "username", "realm", "password"))
    return {
        "name": name, "address": address, "transports": ["udp"], "sources": [f"{address}/32"],
        "messages": True, "srtp": "off", "tls_profile": name, "tls_names": [], "register": False,
        "inbound_username": None, "inbound_password": None, "inbound_password_always": False,
        "identity": [], "codecs": [], **nothing, **more,
    }  # fmt: skip


def settings(**more: Any) -> dict[str, Any]:
    """Of a node with two plain carriers, and one that knows us by a password."""
    known = {"username": "maskline", "password": "secret"}
    carriers = [carrier("acme", ACME), carrier("globex", GLOBEX)]
    return {
        "secret": SECRET, "local": "l0cal", "salt": SALT, "own_hosts": [f"{OURS}:5060"],
        "keys": {"a": base64.b64encode(bytes(range(64))).decode()}, "current_key": "a",
        "switch_socket": "", "listen": [f"udp:{OURS}:5060", f"tcp:{OURS}:5060"], "advertise": [],
        "balancers": [], "node": CALL[:8], "known_seconds": 77,
        "stranger_seconds": 5, "most_strange": 60, "others": "", "reserve": 0,
        "control": CONTROL, "media_control": "127.0.0.1:2223", "named_sources": False,
        "websocket_origins": [],
        "media_addresses": ["192.0.2.200"],
        "carriers": [*carriers, carrier("initech", INITECH, **known)], **more,
    }  # fmt: skip


class Script:
    """The script of one node. `at_hand` is the request whose transaction is the current one."""

    def __init__(self, **more: Any) -> None:
        self.kamailio = KSR.kamailio = Kamailio()
        self.control, self.engine = Control(), Engine()
        self.others = SimpleNamespace(
            draining=False, closed=False, engines={}, refuses=lambda: False, short=False
        )
        self.entrance = gate.Entrance(SALT)
        with patch.multiple(
            routes,
            Switch=lambda *_: self.control,
            Media=lambda *_: self.engine,
            Others=lambda *_: self.others,
        ):
            self.routes = routes.Routes(Settings(settings(**more)))
        self.at_hand = b""

    def receives(self, raw: bytes, source: str, transport: str = "udp") -> None:
        KSR.kamailio = self.kamailio
        host, _, port = source.rpartition(":") if source.count(":") else (source, "", "")
        self.kamailio.cells |= {
            "$(mb{s.encode.base64})": base64.b64encode(raw).decode(), "$si": host,
            "$sp": int(port or 5060), "$proto": transport, "$Ri": OURS, "$Rp": 5060,
        }  # fmt: skip

    def begins(self, raw: bytes, source: str = ACME, transport: str = "udp") -> None:
        """A request comes, which has a transaction of its own."""
        for name in [name for name in self.kamailio.cells if "avp" in name]:
            del self.kamailio.cells[name]
        self.kamailio.done.clear()
        self.at_hand = self.entrance.mark(raw)
        self.receives(self.at_hand, source, transport)
        marked = base64.b64encode(self.at_hand).decode()
        self.kamailio.cells |= {
            "$ci": sip.parse(self.at_hand, strict=False).call_id,
            "$T_req($si)": source.partition(":")[0], "$T_req($proto)": transport,
            "$(T_req($mb){s.encode.base64})": marked, "$T_branch_idx": 0,
        }  # fmt: skip

    def request(self, raw: bytes, source: str = ACME, transport: str = "udp") -> None:
        """The same, and the script is asked."""
        self.begins(raw, source, transport)
        assert self.routes.request(None) == 1

    def reply(self, raw: bytes, source: str = GLOBEX, transport: str = "udp") -> bool:
        """A reply comes to what was sent for it; whether it is passed on."""
        self.kamailio.done.clear()
        self.receives(raw, source, transport)
        self.kamailio.cells["$rs"] = sip.parse(raw, strict=False).status
        told = self.routes.reply(None)
        assert told in (1, -1)  # after another number Kamailio would go no further
        assert self.withheld is (told == -1)  # of final ones it drops none by itself
        return told == 1

    def fails(self, status: int, **says: int) -> None:
        """No branch of the transaction is left; `status` is what is to be said of that."""
        self.kamailio.done.clear()
        self.receives(self.at_hand, ACME)
        self.kamailio.cells |= {"$T_reply_code": status}
        self.kamailio.says |= says
        assert self.routes.failed(None) == 1

    @property
    def written(self) -> list[sip.Message]:
        """What the script wrote to leave, after the latest message came."""
        headers = [header for (header,) in self.kamailio.given("append")]
        return [unsealed(one) for one in headers if one != self.routes.door.nothing]

    @property
    def withheld(self) -> bool:
        """Whether the gate is told that the reply at hand goes to nobody."""
        return (self.routes.door.nothing,) in self.kamailio.given("append")

    @property
    def sent(self) -> sip.Message:
        """The one that left."""
        (message,) = self.written
        return message

    @property
    def answered(self) -> list[int]:
        """The statuses that the sender of the request at hand was answered by ourselves."""
        return [
            given[0] for name, *given in self.kamailio.done if name in ("send_reply", "t_reply")
        ]

    @property
    def relayed(self) -> bool:
        return bool(self.kamailio.given("t_relay"))

    def table(self, name: str) -> dict[str, Any]:
        """What a table of Kamailio's holds."""
        return {entry: v for (at, entry), v in self.kamailio.tables.items() if at == name}


def unsealed(header: str) -> sip.Message:
    """The message in a private header."""
    *_, start, rest, _ = header.split(" ")
    return sip.parse(base64.b64decode(start) + b"\r\n" + base64.b64decode(rest), strict=False)


def message(start: str, *headers: tuple[str, str], body: bytes = b"") -> bytes:
    typed = [("Content-Type", "application/sdp")] if body else []
    return sip.write(start, [*headers, *typed], body)


def invite(
    *more: tuple[str, str],
    method: str = "INVITE",
    uri: str = f"sip:{PROXY}@{OURS}",
    to: str = f"<sip:{PROXY}@{OURS}>",
    number: int = 1,
    hops: int = 70,
    body: bytes = OFFER,
) -> bytes:
    """Ann calls the proxy number, or asks for something else outside of any call."""
    return message(
        f"{method} {uri} SIP/2.0", ("Via", f"SIP/2.0/UDP {ACME};branch=z9hG4bK1"),
        ("Max-Forwards", str(hops)), ("From", f'"Ann" <sip:{ANN}@ann.example>;tag=ann'),
        ("To", to), ("Call-ID", "anns-call"), ("CSeq", f"{number} {method}"),
        ("Contact", f"<sip:ann@{ACME}>"), *more, body=body,
    )  # fmt: skip


def reply(
    to: sip.Message, status: int, *more: tuple[str, str], tag: str = "ben", body: bytes = b""
) -> bytes:
    """What Ben, or who stands for him, says to a request that was sent to him."""
    receiver = to.first("to")
    known = [("Contact", f"<sip:ben@{GLOBEX}>")] if 100 < status < 300 else []
    return message(
        f"SIP/2.0 {status} His Words", ("Via", f"SIP/2.0/UDP {OURS}:5060;branch=z9hG4bK2"),
        ("From", to.first("from")), ("To", receiver if "tag=" in receiver else
        f"{receiver};tag={tag}"), ("Call-ID", to.call_id), ("CSeq", to.first("cseq")),
        *known, *more, body=body,
    )  # fmt: skip


def within(
    method: str, seen: sip.Message, *more: tuple[str, str], number: int = 2, body: bytes = b""
) -> bytes:
    """A request within the call, of whoever saw this INVITE, or the answer to their own."""
    own, peer = seen.first("from"), seen.first("to")
    if not seen.is_reply:
        own, peer = peer if "tag=" in peer else f"{peer};tag=ben", own
    host = ACME if seen.is_reply else GLOBEX
    contact = [("Contact", f"<sip:moved@{host}>")] if method in ("INVITE", "UPDATE") else []
    return message(
        f"{method} {sip.address(seen.first('contact')).uri} SIP/2.0",
        ("Via", f"SIP/2.0/UDP {host};branch=z9hG4bK3"), ("Max-Forwards", "70"), ("From", own),
        ("To", peer), ("Call-ID", seen.call_id), ("CSeq", f"{number} {method}"), *contact, *more,
        body=body,
    )  # fmt: skip


def hang_up(leg: dict[str, str], reason: str = "Q.850;cause=16", number: int = 4711) -> bytes:
    """The BYE of the control plane, by what it was told of a leg."""
    return message(
        f"BYE {leg['Target']} SIP/2.0", ("Via", f"SIP/2.0/UDP {CONTROL};branch=z9hG4bK4"),
        ("Max-Forwards", "70"), ("From", leg["From"]), ("To", leg["To"]),
        ("Call-ID", leg["CallId"]), ("CSeq", f"{number} BYE"),
        ("Reason", reason),
    )  # fmt: skip


class Call(NamedTuple):
    """What Ben got to see of a call, and Ann."""

    bens: sip.Message
    anns: sip.Message

    def by(self, side: str, method: str, *more: Any, **told: Any) -> tuple[bytes, str]:
        """A request of one of both within it, and where it comes from."""
        seen, source = (self.anns, ACME) if side == "caller" else (self.bens, GLOBEX)
        return within(method, seen, *more, **told), source


def answered(script: Script, *, source: str = GLOBEX) -> Call:
    """A call of Ann's that Ben answered."""
    script.request(invite())
    sent = script.sent
    assert script.reply(reply(sent, 200, body=OFFER), source)
    return Call(sent, script.sent)


def proves(request: sip.Message, password: str = "secret") -> bool:
    """Whether a request answers a challenge with this password, for itself and nothing else."""
    told = request.first("authorization") or request.first("proxy-authorization")
    given = digest.parameters(told)
    wanted = digest.response(given, password, request.method, request.body)
    return given["response"] == wanted
