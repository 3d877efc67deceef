"""The routes that Kamailio runs. They know SIP and no business rule: the control plane decides,
`mask` writes, Kamailio carries. Whatever goes wrong, nothing unmasked leaves: the gate lets pass
only what these routes wrote."""

from __future__ import annotations

import binascii
import gc
import json
import re
from typing import Any
from urllib.parse import unquote

import KSR

from . import allowed, errands, firsts, kept, mask, ringing, sdp, sip, sources, texts
from .announcements import ANNOUNCED, Announcements, can_hear
from .answers import RETRY, answer, later
from .attempts import CONTEXT, Abandoned, Attempts
from .balancers import Source, ends_transaction
from .bodies import Bodies, description
from .engines import Engines, call_of
from .errands import Errands
from .gate import Entrance, Gate
from .kept import Kept
from .media import Media, MediaDown
from .messages import Messages
from .others import Others
from .refuse import Refuse
from .relay import Relay
from .replies import Replies
from .reports import Reports
from .route_sets import ENDED, Known, RouteSets
from .senders import Senders, hop_of, source_of
from .settings import BALANCER, CONTROL, Settings
from .shelf import Shelf
from .strays import NOBODYS, Strays
from .switch import Switch, SwitchDown
from .unfit import Unfit
from .ways import NoWay, Ways

ERRANDS = (*errands.METHODS, "INFO")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
READY = "$avp(ready)"
TERMINATED = 487  # what tells whoever hangs up before the answer
LONGEST_READY = 6000  # what Kamailio's own language appends must fit its buffer for text


def raw() -> bytes:
    """The message as it came, byte for byte: Kamailio's own text type would refuse some bytes."""
    return binascii.a2b_base64(KSR.pv.get("$(mb{s.encode.base64})"))


def put(variable: str, message: bytes) -> None:
    KSR.pv.sets(variable, binascii.b2a_base64(message, newline=False).decode())


def reason_given() -> str:
    """The Reason of the message at hand; to ask for one that is not there would be logged."""
    if KSR.hdr.is_present("Reason") < 1:
        return ""
    return binascii.a2b_base64(KSR.pv.get("$(hdr(Reason){s.encode.base64})")).decode("latin-1")


class Routes:
    """One worker's routes; Kamailio calls the methods named in its configuration."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = mask.Keyring(settings.keys, settings.current_key)
        self.entry = Entrance(settings.salt)
        self.door = Gate(settings.secret, settings.local, self.entry, settings.own_hosts)
        self.switch = Switch(settings.switch_socket)
        self.others = Others(settings.others)
        media = Media(settings.media_control, settings.media_addresses)
        engines = Engines(settings.node, media, self.others)
        self.bodies = Bodies(self.keys, engines, settings, self.others)
        self.reports = Reports(self.keys, self.switch)
        self.route_sets = RouteSets(self.keys, self.switch)
        self.senders = Senders(settings, self.keys)
        self.announcements = Announcements(settings, self.door, media)
        self.ways = Ways(settings)
        self.errands = Errands(settings, self.door, self.ways)
        self.attempts = Attempts(
            settings, self.keys, self.door, self.bodies, self.reports, self.route_sets, self.ways
        )
        self.relay = Relay(settings, self.keys, self.door, self.bodies, self.ways)
        self.messages = Messages(settings, self.keys, self.switch, self.relay, self.ways)
        self.shelf = Shelf(settings, self.keys, self.entry, self.bodies, self.ways)
        strays = Strays(self.senders, self.keys, self.reports)
        self.replies = Replies(
            self.keys,
            self.door,
            self.bodies,
            self.reports,
            self.route_sets,
            self.attempts,
            self.shelf,
            self.senders,
            strays,
        )
        self.unfit = Unfit(self.bodies, self.reports, self.attempts, strays)

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
        except texts.NoText as refusal:
            answer(refusal.status)
        except Exception as error:
            status = status_of(error)
            say = KSR.info if status < 500 else KSR.err
            say(f"answered {status}: {type(error).__name__} {told(error, status)}\n")
            answer(status, *([RETRY] if status == 503 else []))
        return 1

    def reply(self, _message: Any) -> int:
        try:
            if self.unfit.settled():
                self.unfit.repeated(raw())
                return -1
            errand = KSR.pv.get(errands.ERRAND)
            if errand:
                self.errands.reply(sip.parse(raw()), json.loads(errand))
            elif not self.replies.pass_on(sip.parse(raw())):
                return -1
        except Exception as error:
            KSR.err(f"reply dropped: {type(error).__name__} {_where(error)}\n")
            self._settle(error)
            return -1
        return 1

    def _settle(self, error: Exception) -> None:
        try:
            message = raw()
        except Exception:  # longer than Kamailio gives
            message = b""
        try:
            self.unfit.settle(message, error)
        except Exception as second:
            KSR.err(f"not settled: {type(second).__name__} {_where(second)}\n")

    def failed(self, _message: Any) -> int:
        try:
            errand, announced = KSR.pv.get(errands.ERRAND), KSR.pv.get(ANNOUNCED)
            if errand:
                self.errands.failed(json.loads(errand))
                return 1
            if announced:
                self.announcements.ended(announced)
                return 1
            known, request = kept.read(KSR.pv.get(CONTEXT)), self._parsed(source_of())
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
            self.reports.hung_up(call, side, reason_given())
            self.bodies.media.delete(call, int(halves))
        except Exception as error:
            KSR.err(f"hang-up not told: {type(error).__name__} {_where(error)}\n")
        return 1

    def stranded(self, _message: Any) -> int:
        """A BYE that had been written in advance could not be sent."""
        try:
            self.reports.report(KSR.pv.get("$var(ended)").split(" ")[0], "Stranded")
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
        except sip.Malformed:
            return -1  # anybody can send any number of them
        except Exception as error:
            KSR.err(f"not let in: {type(error).__name__} {_where(error)}\n")
            return -1
        return 1

    # -- requests, step by step

    def _request(self) -> None:
        source = source_of()
        origin = self.senders.origin(source)
        if origin is None and (not self.senders.guard or self._floods(source)):
            return  # strangers get silence
        request = self._parsed(source)
        if origin == BALANCER:
            if ends_transaction(request):
                self._end_transaction(request)
                return
            behind = self.senders.behind(request, draining=self.others.draining)
            if behind is None:
                return
            source, origin = behind
        if origin is None and request.method in ("ACK", "CANCEL"):
            self._end_transaction(request)  # of whoever knows its branch
            if request.method == "CANCEL":
                return
        if origin is None:
            origin = self.senders.by_password(request, source)
        else:
            origin = self.senders.proven(origin, request, source)
        if origin is not None:
            self._known(request, origin, source)

    def _parsed(self, source: Source) -> sip.Message:
        """The request at hand, which came from there."""
        return sip.received(sip.parse(self.entry.unmark(raw())), source.address, source.port)

    def _floods(self, source: Source) -> bool:
        return sources.is_flooding(source.address, self.settings.most_strange)

    def _known(self, request: sip.Message, origin: str, source: Source) -> None:
        """A request from somebody who may speak to us."""
        if not SCHEME.match(request.uri) and request.method != "ACK":
            raise Refuse(416 if URI.match(request.uri) else 400)
        if request.method == "CANCEL":
            if self._end_transaction(request):
                return
            if origin != CONTROL:
                raise Refuse(481)
            self._give_up(sip.user(request.uri))
        elif request.address("to").tag or request.method == "ACK":
            self._within_dialog(request, origin, source)
        elif origin == CONTROL and request.all("x-carrier") and request.method in ERRANDS:
            self._run_errand(request)
        elif request.method == "OPTIONS":
            self._options(request, origin)
        elif request.method == "INVITE":
            self._invite(request, origin, source)
        elif request.method == "MESSAGE":
            self.messages.take(request, origin)
        else:
            raise Refuse(405)

    def _end_transaction(self, request: sip.Message) -> bool:
        """Whether the request at hand is the CANCEL, or the ACK, of a transaction of ours."""
        if KSR.tm.t_check_trans() <= 0:
            return False
        if request.method == "CANCEL":
            KSR.tm.t_relay()
            self.announcements.cancelled()
        return True

    def _run_errand(self, request: sip.Message) -> None:
        if request.method == "INFO":
            sources.admit(unquote(request.first("x-carrier")), request.body)
            answer(200)
        else:
            self.errands.send(request)

    def _options(self, request: sip.Message, origin: str) -> None:
        firsts.check_extensions(request)
        asked = sip.user(request.uri) if origin == CONTROL else ""
        if asked:
            answer(200 if ringing.rings(asked) else 481)
        else:
            answer(503 if self.others.draining and origin != CONTROL else 200)

    def _within_dialog(self, request: sip.Message, origin: str, source: Source) -> None:
        if KSR.tm.t_check_trans() >= 0:
            return  # a retransmission, or the ACK of a failure: the transaction has it
        method = request.method
        passage = mask.dialog_passage(self.keys, request)
        if passage is None:
            if method == "ACK":
                return
            raise Refuse(481)
        if method != "ACK" and KSR.tm.t_newtran() < 1:
            return  # it came again while another worker asks what to do with it
        if method not in allowed.METHODS:
            raise Refuse(405)
        firsts.check(request)
        if method == "ACK":  # its number is its INVITE's, which the token tells
            self.relay.send(request, passage, self.bodies.of_request(request, passage))
            return
        call = None if origin == CONTROL else self._call_of(method, passage)
        if method in mask.CONTACT_METHODS:
            near = self._completed(passage, call)
            flow = self.senders.way_back(source, mask.next_hop(near))
            passage = passage._replace(near=near._replace(flow=flow))
        passage = self.relay.counted(passage)
        body = self.bodies.of_request(request, passage)
        known = kept.of(passage, request, self.ways.received_at())
        if method == "BYE":
            self._hang_up(request, known, origin)
        else:
            self.relay.send(request, passage, body, known)

    def _call_of(self, method: str, passage: mask.Passage) -> Known | None:
        """What is known of the call that a request is of, if it may still be made."""
        reference = passage.near.reference
        call = self.route_sets.known_of(reference)
        # Who is called may not end what they have not answered (RFC 3261 15).
        early = method == "BYE" and passage.near.side == mask.CALLED and rings(reference)
        over = call is not None and call.state == ENDED and method != "BYE"
        if early or over or (call is not None and belongs_elsewhere(passage, call)):
            raise Refuse(481)
        return call

    def _completed(self, passage: mask.Passage, call: Known | None) -> mask.Leg:
        try:
            return self.route_sets.completed(passage.key, passage.near, call)
        except SwitchDown:
            # To a 503 a phone might hang up, or avoid us (RFC 3261 12.2.1.2, 21.5.4).
            raise Refuse(500, RETRY) from None

    def _hang_up(self, request: sip.Message, known: Kept, origin: str) -> None:
        """Passes a BYE on, whose reply is written in advance. Whatever becomes of it, the call is
        over; but where it rings still, it ends one of several phones' ringing, and its INVITE
        tells."""
        ready = self.door.header(mask.ok_payload(known.passage, known.asked))
        if len(ready) < LONGEST_READY:
            KSR.pv.sets(READY, ready)
        near = known.passage.near
        counts = near.reference != NOBODYS and not rings(near.reference)
        if counts:
            self.shelf.clear(request)
        try:
            self.relay.send(request, known.passage, allowed.NO_BODY, known)
        except NoWay:
            if counts and origin != CONTROL:
                self.reports.report(near.reference, "Stranded")
            raise
        if counts:
            self.bodies.end(known.passage)
            side = "us" if origin == CONTROL else near.side
            self.reports.hung_up(near.reference, side, request.first("reason"))
        elif near.side == mask.CALLER:
            ringing.leave(near.reference)

    def _invite(self, request: sip.Message, origin: str, source: Source) -> None:
        if KSR.tm.t_newtran() < 1:
            return  # a retransmission
        firsts.check(request)
        if self.others.closed:
            raise Refuse(503, RETRY)
        offered = description(request)
        if request.body and offered is None:
            raise Refuse(415)
        if offered and not offered.active:
            raise sdp.Unacceptable("no sound")
        silent, carrier = not can_hear(request, offered), self.settings.carriers[origin]
        question = firsts.about_call(request, carrier, source.transport, silent=silent)
        route = self.switch.ask("RouteCall", question)
        if route["Decision"] != "Connect":
            if KSR.tm.t_is_canceled() > 0:
                return  # nobody listens any more, and Kamailio has told them 487
            begin = self.announcements.begin
            if offered and begin(request, offered, route, origin, self.ways.received_at):
                return
            raise Refuse(route["SipStatus"], *later(route))
        try:
            flow, at = self.senders.way_back(source, hop_of(request)), self.ways.received_at()
            self.attempts.begin(request, route, carrier.mark, flow, at)
        except Abandoned:
            ringing.end(route["CallId"])
            self.reports.ended(route["CallId"], "caller", TERMINATED)
        except Exception as error:
            ringing.end(route["CallId"])
            self.reports.ended(route["CallId"], "us", status_of(error))
            raise

    def _give_up(self, call: str) -> None:
        """The control plane does not want the call to ring any longer."""
        if not ringing.overdue(call):
            answer(200 if ringing.cancel(call) else 481)
            return
        answer(200)
        reference = ringing.refuse(call)
        if reference:
            self.bodies.media.delete(reference)
            self.reports.ended(call, "us", ringing.UNAVAILABLE)

    def may_connect(self, _message: Any) -> int:
        """Whether whoever asks for a WebSocket may have one: who has a password tells it later."""
        source = source_of()
        if self.senders.origin(source):
            KSR.tcpops.tcp_set_connection_lifetime(self.settings.known_seconds)
            return 1
        return 1 if self.senders.guard and not self._floods(source) else -1


def rings(reference: str) -> bool:
    """Whether a call that came to this node is not answered yet. Other nodes cannot be asked: what
    they report comes later than a quick BYE."""
    return ringing.rings(call_of(reference))


def belongs_elsewhere(passage: mask.Passage, call: Known) -> bool:
    """Whether another one than the called party of this dialogue, a fork's or one whose call has
    gone on, answered the call: that one's call it is."""
    called = passage.far if passage.far.side == mask.CALLED else passage.near
    return mask.CALLED in call.legs and call.legs[mask.CALLED].tag != called.tag


def status_of(error: Exception) -> int:
    """What whoever made a request is answered that failed."""
    if isinstance(error, sdp.Unacceptable):
        return 488
    if isinstance(error, sip.Malformed | mask.Refused):
        return 400
    return 503 if isinstance(error, SwitchDown | MediaDown | NoWay) else 500


def told(error: Exception, status: int) -> str:
    """What is logged of it: our own words, or of what nobody expected, the place alone."""
    return _where(error) if status == 500 else str(error)


def _where(error: BaseException) -> str:
    """Module and line of a fault, never its text: it could hold a number."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
