"""The routes that Kamailio runs. They know SIP and no business rule: the control plane decides,
`mask` writes, Kamailio carries. Whatever goes wrong, nothing unmasked leaves: the gate lets pass
only what these routes wrote."""

from __future__ import annotations

import binascii
import gc
import json
import re
import time
from typing import Any
from urllib.parse import unquote

import KSR

from . import allowed, digest, errands, kept, mask, ringing, sdp, sip, sources, texts
from .announcements import ANNOUNCED, Announcements, can_hear
from .attempts import CONTEXT, Attempts
from .bodies import Bodies, description
from .errands import Errands
from .gate import Entrance, Gate
from .kept import Kept
from .media import Media, MediaDown
from .relay import Relay
from .replies import RETRY, Replies
from .reports import Reports
from .route_sets import RouteSets
from .settings import CONTROL, Settings, Target, bracketed
from .shelf import Shelf
from .switch import Switch, SwitchDown
from .ways import NoWay, Ways, contact, place_of, transport_of

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
NUMBER = re.compile(r"\+?\d{3,15}")
READY = "$avp(ready)"
LONGEST_READY = 6000  # what Kamailio's own language appends must fit its buffer for text


def raw() -> bytes:
    """The message as it came, byte for byte: Kamailio's own text type would refuse some bytes."""
    return binascii.a2b_base64(KSR.pv.get("$(mb{s.encode.base64})"))


def put(variable: str, message: bytes) -> None:
    KSR.pv.sets(variable, binascii.b2a_base64(message, newline=False).decode())


def answer(status: int, *headers: str) -> None:
    for header in headers:
        KSR.hdr.append_to_reply(header + "\r\n")
    KSR.sl.send_reply(status, allowed.reason(status))


class Refuse(Exception):
    """Answer the request at hand with this status."""

    def __init__(self, status: int, *headers: str) -> None:
        super().__init__(status)
        self.status, self.headers = status, headers


class Routes:
    """One worker's routes; Kamailio calls the methods named in its configuration."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = mask.Keyring(settings.keys, settings.current_key)
        self.entry = Entrance(settings.salt)
        self.door = Gate(settings.secret, self.entry, settings.own_hosts)
        self.switch = Switch(settings.switch_socket)
        media = Media(settings.media_control, settings.media_addresses)
        self.bodies = Bodies(self.keys, media, settings)
        self.reports = Reports(self.keys, self.switch)
        self.route_sets = RouteSets(self.keys)
        accounts = settings.inbound_accounts
        self.guard = (
            digest.Guard(settings.keys[settings.current_key], accounts) if accounts else None
        )
        self.announcements = Announcements(settings, self.door, media)
        self.ways = Ways(settings)
        self.errands = Errands(settings, self.door, self.ways)
        self.attempts = Attempts(
            settings, self.keys, self.door, self.bodies, self.reports, self.route_sets, self.ways
        )
        self.relay = Relay(settings, self.keys, self.door, self.bodies, self.ways)
        self.shelf = Shelf(settings, self.keys, self.entry, self.bodies, self.ways)
        self.replies = Replies(
            self.keys,
            self.door,
            self.bodies,
            self.reports,
            self.route_sets,
            self.attempts,
            self.shelf,
        )

    def child_init(self, _rank: int) -> int:
        # A worker makes no cycles to speak of; looking for some goes through all that was loaded.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 1000)
        return 0

    # -- what Kamailio calls

    def request(self, _message: Any) -> int:
        try:
            self._request()
        except Refuse as refusal:
            answer(refusal.status, *refusal.headers)
        except (sip.Malformed, sdp.Unacceptable, mask.Refused) as error:
            KSR.info(f"refused: {type(error).__name__}: {error}\n")
            answer(488 if isinstance(error, sdp.Unacceptable) else 400)
        except texts.NoText as refusal:
            answer(refusal.status)
        except (SwitchDown, MediaDown, NoWay) as error:
            KSR.err(f"{type(error).__name__}: {error}\n")
            answer(503, RETRY)
        except Exception as error:
            KSR.err(f"request route failed: {type(error).__name__} {_where(error)}\n")
            answer(500)
        return 1

    def reply(self, _message: Any) -> int:
        try:
            errand = KSR.pv.get(errands.ERRAND)
            if errand:
                self.errands.reply(sip.parse(raw()), json.loads(errand))
            else:
                self.replies.pass_on(sip.parse(raw()))
        except Exception as error:
            KSR.err(f"reply dropped: {type(error).__name__} {_where(error)}\n")
            return -1
        return 1

    def failed(self, _message: Any) -> int:
        try:
            errand, announced = KSR.pv.get(errands.ERRAND), KSR.pv.get(ANNOUNCED)
            if errand:
                self.errands.failed(json.loads(errand))
                return 1
            if announced:
                self.announcements.ended(announced)
                return 1
            known, request = kept.read(KSR.pv.get(CONTEXT)), sip.parse(self.entry.unmark(raw()))
            if known.first:
                self.replies.failed(request)
            else:
                self.relay.failed(known, request)
        except Exception as error:
            KSR.err(f"failure route failed: {type(error).__name__} {_where(error)}\n")
        return 1

    def hung_up(self, _message: Any) -> int:
        """A BYE was sent that had been written in advance (`ready`)."""
        try:
            call, side, halves = KSR.pv.get("$var(ended)").split(" ")
            self.reports.hung_up(call, side, KSR.pv.get("$hdr(Reason)") or "")
            self.bodies.media.delete(call, int(halves))
        except Exception as error:
            KSR.err(f"hang-up not told: {type(error).__name__} {_where(error)}\n")
        return 1

    def gate(self, _message: Any) -> int:
        try:
            put("$var(masked)", self.door.leave(raw()))
        except Exception as error:
            KSR.err(f"kept back: {type(error).__name__} {_where(error)}\n")
            return -1
        return 1

    def entrance(self, _message: Any) -> int:
        try:
            put("$var(marked)", self.entry.mark(raw()))
        except Exception as error:
            KSR.err(f"not let in: {type(error).__name__} {_where(error)}\n")
            return -1
        return 1

    # -- requests, step by step

    def _request(self) -> None:
        origin = self._origin()
        if origin is None:
            KSR.htable.sht_inc("strangers", KSR.pv.get("$si"))
            if not self.guard:
                return  # strangers get silence
        request = sip.parse(self.entry.unmark(raw()))
        if origin is None:
            origin = self._known_by_password(request)
        if origin is None:
            return
        if not SCHEME.match(request.uri) and request.method != "ACK":
            raise Refuse(416 if URI.match(request.uri) else 400)
        if request.method == "CANCEL":
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
                self.announcements.cancelled()
            elif self._origin() == CONTROL:
                self._give_up(sip.user(request.uri))
        elif request.address("to").tag:
            self._within_dialog(request, origin)
        elif origin == CONTROL and request.method in errands.METHODS and request.all("x-carrier"):
            self.errands.send(request)
        elif origin == CONTROL and request.method == "INFO":
            sources.admit(unquote(request.first("x-carrier")), request.body)
            answer(200)
        elif request.method == "OPTIONS":
            _check(request)
            asked = sip.user(request.uri) if origin == CONTROL else ""
            answer(200 if not asked or ringing.rings(asked) else 481)
        elif request.method == "INVITE":
            self._invite(request, origin)
        elif request.method == "MESSAGE":
            self._message(request, origin)
        elif request.method != "ACK":
            raise Refuse(405)

    def _origin(self) -> str | None:
        get = KSR.pv.get
        address = get("$si")
        known = self.settings.origin(address, get("$sp"), get("$proto"))
        return known or (self.settings.named_sources and sources.carrier_at(address)) or None

    def _flow(self) -> str:
        """The way back to a sender who cannot be connected to (RFC 7118 5.2), or who calls from
        anywhere; else empty."""
        transport = KSR.pv.get("$proto")
        if transport not in ("ws", "wss") and self._origin() is not None:
            return ""
        where = f"{bracketed(KSR.pv.get('$si'))}:{KSR.pv.get('$sp')}"
        return f"sip:{where};transport={transport}"

    def _known_by_password(self, request: sip.Message) -> str | None:
        """The carrier that a request from an unknown address is from: by the call that it belongs
        to, or by its answer to our challenge. Raises Refuse with a challenge."""
        if request.method == "CANCEL":
            return CONTROL if KSR.tm.t_check_trans() > 0 else None
        if request.method == "ACK" or request.address("to").tag:
            passage = mask.dialog_passage(self.keys, request)
            carrier = self.settings.marked.get(passage.near.trunk) if passage else None
            return carrier.name if carrier and carrier.inbound_username else None
        if request.method not in ("INVITE", "MESSAGE") or not self.guard:
            return None
        address, now = KSR.pv.get("$si"), time.time()
        stale = False
        try:
            name = self.guard.check(request.first("authorization"), request.method, address, now)
        except digest.Stale:
            name, stale = None, True
        if name is None:
            asked = self.guard.challenges(address, now, stale=stale)
            raise Refuse(401, *(f"WWW-Authenticate: {one}" for one in asked))
        return name

    def _within_dialog(self, request: sip.Message, origin: str) -> None:
        if KSR.tm.t_check_trans() >= 0:
            return  # a retransmission, or the ACK of a failure: the transaction has it
        method, passage = request.method, mask.dialog_passage(self.keys, request, self._flow())
        if passage is None:
            if method == "ACK":
                return
            raise Refuse(481)
        if method in mask.CONTACT_METHODS:
            near = self.route_sets.completed(passage.key, passage.near)
            passage = passage._replace(near=near)
        if method not in allowed.METHODS:
            raise Refuse(405)
        _check(request)
        if method == "ACK":  # its number is its INVITE's, which the token tells
            self.relay.send(request, passage, self.bodies.of_request(request, passage))
            return
        passage = self.relay.counted(passage)
        body = self.bodies.of_request(request, passage)
        known = kept.of(passage, request, _received_at())
        if method == "BYE":
            self._hung_up(request, known, origin)
        self.relay.send(request, passage, body, known)

    def _hung_up(self, request: sip.Message, known: Kept, origin: str) -> None:
        """Whatever becomes of the BYE, the call is over. Its reply is written in advance."""
        self.shelf.clear(request)
        self.bodies.end(known.passage)
        near = known.passage.near
        side = "us" if origin == CONTROL else near.side
        self.reports.hung_up(near.reference, side, request.first("reason"))
        ready = self.door.header(mask.ok_payload(known.passage, known.asked))
        if len(ready) < LONGEST_READY:
            KSR.pv.sets(READY, ready)

    def _invite(self, request: sip.Message, origin: str) -> None:
        if KSR.tm.t_newtran() < 1:
            return  # a retransmission
        _check(request)
        offered = description(request)
        if request.body and offered is None:
            raise Refuse(415)
        question = _question(request, origin)
        if not can_hear(request, offered):
            question["Silent"] = True
        route = self.switch.ask("RouteCall", question)
        if route["Decision"] != "Connect":
            if offered and self.announcements.begin(request, offered, route, origin, _received_at):
                return
            retry = [f"Retry-After: {route['RetryAfter']}"] if route.get("RetryAfter") else []
            raise Refuse(route["SipStatus"], *retry)
        ringing.begin(route["CallId"], request)
        try:
            trunk = self.settings.carriers[origin].mark
            self.attempts.begin(request, route, trunk, self._flow(), _received_at())
        except Exception as error:
            status = 503 if isinstance(error, MediaDown | NoWay) else 500
            ringing.end(route["CallId"])
            self.reports.ended(route["CallId"], "us", status)
            raise

    def _give_up(self, call: str) -> None:
        """The control plane does not want the call to ring any longer."""
        if not ringing.overdue(call):
            answer(200 if ringing.cancel(call) else 481)
            return
        answer(200)
        if ringing.refuse(call):
            self.bodies.media.delete(call)
            self.reports.ended(call, "us", ringing.UNAVAILABLE)

    def may_connect(self, _message: Any) -> int:
        """Whether whoever asks for a WebSocket may have one."""
        return 1 if self._origin() else -1

    # -- texts

    def _message(self, request: sip.Message, origin: str) -> None:
        carrier = self.settings.carriers.get(origin)
        if carrier and not carrier.messages:
            raise Refuse(405)
        if KSR.tm.t_newtran() < 1:
            return  # a retransmission
        _check(request)
        if carrier:
            self._take_text(request, origin)
        else:
            self._send_text(request)

    def _take_text(self, request: sip.Message, origin: str) -> None:
        """A text from a carrier: answered when it is kept (RFC 3428 section 7)."""
        sender = request.address("from")
        parts = (request.call_id, sender.tag, str(request.cseq[0]))
        verdict = self.switch.ask(
            "AcceptMessage",
            {
                **_question(request, origin),
                "Text": texts.read(request),
                "MessageId": self.keys.alias(self.keys.current, "text", *parts),
            },
        )
        retry = [f"Retry-After: {verdict['RetryAfter']}"] if verdict.get("RetryAfter") else []
        answer(verdict["SipStatus"], *retry)

    def _send_text(self, request: sip.Message) -> None:
        """A text from the control plane, which names the carrier, its target and both numbers."""
        carrier = self.settings.carriers[unquote(request.first("x-carrier"))]
        caller, called = sip.user(request.address("from").uri), sip.user(request.uri)
        where, transport = place_of(request.uri), transport_of(request.uri)
        target = Target(carrier, where, transport, caller, called)
        local = self.settings.listener(target.transport, target.address)
        shown = f"sip:{caller}@{carrier.domain or local}"
        text = mask.Call("text", shown, target.uri, called_trunk=carrier.mark)
        passage = mask.first_passage(self.keys, request, text)
        known = kept.of(passage, request, _received_at())
        self.relay.send(request, passage, texts.body(request.body), known, target.hop)


def _check(request: sip.Message) -> None:
    if allowed.hops(request) < 0:
        raise Refuse(483)
    missing = allowed.unsupported(request)
    if missing and request.method not in ("ACK", "CANCEL"):
        raise Refuse(420, f"Unsupported: {', '.join(missing)}")


def _question(request: sip.Message, origin: str) -> dict[str, Any]:
    """The numbers of a call's first request. A trusted carrier asserts who calls (RFC 3325)."""
    asserted = [sip.address(value).uri for value in request.listed("p-asserted-identity")]
    callers = [sip.user(uri) for uri in [*asserted, request.address("from").uri]]
    caller = next((number for number in callers if NUMBER.fullmatch(number)), "")
    dialled = [
        request.uri,
        sip.address(request.first("p-called-party-id")).uri,
        request.address("to").uri,
    ]
    called = next((u for u in map(sip.user, dialled) if NUMBER.fullmatch(u)), "")
    if not NUMBER.fullmatch(called):
        raise Refuse(404)
    return {"CarrierName": origin, "Caller": caller, "Called": called}


def _received_at() -> str:
    where = f"{bracketed(KSR.pv.get('$Ri'))}:{KSR.pv.get('$Rp')}"
    return contact(where, KSR.pv.get("$proto"))


def _where(error: BaseException) -> str:
    """Module and line of a fault, never its text: it could hold a number."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
