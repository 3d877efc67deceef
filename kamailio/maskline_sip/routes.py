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

from . import errands, firsts, kept, mask, ringing, sip, sources, texts
from .announcements import ANNOUNCED, Announcements
from .answers import answer, status_of, when_to_retry
from .attempts import CONTEXT, Attempts
from .balancers import Source, ends_transaction
from .bodies import Bodies
from .calls import Calls
from .dialogs import Dialogs
from .engines import Engines
from .errands import Errands
from .gate import Entrance, Gate, Withheld
from .loiterers import Loiterers
from .media import Media
from .messages import Messages
from .others import Others
from .refuse import Refuse
from .relay import Relay
from .replies import Replies
from .reports import Reports
from .route_sets import RouteSets
from .senders import Senders, source_of
from .settings import BALANCER, CONTROL, Settings
from .shelf import Shelf
from .strays import Strays
from .switch import Switch
from .tables import Table
from .unfit import Unfit
from .ways import Ways

ERRANDS = (*errands.METHODS, "INFO")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)


def raw() -> bytes:
    """The message as it came, byte for byte: Kamailio's own text type would refuse some bytes.
    Raises Refuse for one that is longer than Kamailio gives."""
    text = KSR.pv.get("$(mb{s.encode.base64})")
    if text is None:
        raise Refuse(413)
    return binascii.a2b_base64(text)


def put(variable: str, message: bytes) -> None:
    KSR.pv.sets(variable, binascii.b2a_base64(message, newline=False).decode())


def reasons_given() -> str:
    """All that the message at hand gives, each protocol in a Reason of its own (RFC 3326 2). To ask
    for what is not there would be logged; of more than Kamailio joins, nothing is told."""
    if KSR.hdr.is_present("Reason") < 1:
        return ""
    joined = KSR.pv.get("$(hdr(Reason)[*]{s.encode.base64})") or ""
    return binascii.a2b_base64(joined).decode("latin-1")


class Routes:
    """One worker's routes; Kamailio calls the methods named in its configuration."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.entry = Entrance(settings.salt)
        self.door = door = Gate(settings.secret, settings.local, self.entry, settings.own_hosts)
        self.others = others = Others(settings.others, settings.reserve)
        keys = mask.Keyring(settings.keys, settings.current_key)
        switch, ways = Switch(settings.switch_socket), Ways(settings)
        media = Media(settings.media_control, settings.media_addresses)
        engines = Engines(settings.node, media, others, Table("over"))
        self.bodies = bodies = Bodies(keys, engines, settings, others)
        self.reports = reports = Reports(keys, switch)
        self.senders = senders = Senders(settings, keys)
        self.loiterers = Loiterers(settings, senders)
        self.announcements = told = Announcements(settings, door, media, ways)
        self.errands, self.ways = Errands(settings, door, ways), ways
        self.relay = relay = Relay(settings, keys, door, bodies, ways)
        self.messages = Messages(settings, keys, switch, others, relay, ways)
        sets, shelf = RouteSets(keys, switch), Shelf(settings, keys, self.entry, bodies, ways)
        attempts = Attempts(settings, keys, door, bodies, reports, sets, ways)
        self.calls = Calls(settings, switch, others, bodies, reports, senders, told, attempts, ways)
        self.dialogs = Dialogs(
            settings.node, keys, door, bodies, relay, reports, sets, senders, shelf, ways
        )
        strays = Strays(senders, keys, reports)
        self.replies = Replies(
            keys, door, bodies, reports, sets, attempts, shelf, senders, strays, ways
        )  # fmt: skip
        self.unfit = Unfit(bodies, reports, attempts, strays, ways)

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
            self._answer(refusal.status, *refusal.headers)
        except texts.NoText as refusal:
            self._answer(refusal.status)
        except Exception as error:
            status = status_of(error)
            say = KSR.info if status < 500 else KSR.err
            say(f"answered {status}: {type(error).__name__} {told(error, status)}\n")
            self._answer(status, *when_to_retry(error))
        self._catch_up()
        return 1

    def _catch_up(self) -> None:
        """Whatever comes to a worker reminds it of what it could not tell."""
        try:
            self.reports.catch_up()
        except Exception as error:
            log_fault("not told later", error)

    def _answer(self, status: int, *headers: str) -> None:
        """Whatever was tried before."""
        carrier = self.senders.carrier()
        self.ways.answer(carrier.mark if carrier else "")
        answer(status, *headers)

    def reply(self, _message: Any) -> int:
        try:
            if self.unfit.settled():
                self.unfit.repeated(raw())
                return self._drop()
            errand = KSR.pv.get(errands.ERRAND)
            if errand:
                self.errands.reply(sip.parse(raw()), json.loads(errand))
            elif not self.replies.pass_on(sip.parse(raw())):
                return self._drop()
        except Exception as error:
            log_fault("reply dropped", error)
            self._settle(error)
            return self._drop()
        self._catch_up()
        return 1

    def _drop(self) -> int:
        """Of final replies Kamailio drops none, whatever a route says: so the gate does."""
        KSR.hdr.append(self.door.nothing)
        return -1

    def _settle(self, error: Exception) -> None:
        try:
            message = raw()
        except Exception:  # longer than Kamailio gives
            message = b""
        try:
            self.unfit.settle(message, error)
        except Exception as second:
            log_fault("not settled", second)

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
            log_fault("failure route failed", error)
        return 1

    def hung_up(self, _message: Any) -> int:
        """A BYE was sent that had been written in advance (`ready`)."""
        try:
            call, side, halves = KSR.pv.get("$var(ended)").split(" ")
            self.reports.hung_up(call, side, reasons_given())
            self.bodies.end_of(call, int(halves))
        except Exception as error:
            log_fault("hang-up not told", error)
        return 1

    def stranded(self, _message: Any) -> int:
        """A BYE that had been written in advance could not be sent."""
        try:
            call, side, _ = KSR.pv.get("$var(ended)").split(" ")
            self.reports.stranded(call, side, reasons_given())
        except Exception as error:
            log_fault("hang-up not told", error)
        return 1

    def gate(self, _message: Any) -> int:
        try:
            put("$var(masked)", self.door.leave(raw()))
        except Withheld:
            return -1
        except Exception as error:
            log_fault("kept back", error)
            return -1
        return 1

    def entrance(self, _message: Any) -> int:
        try:
            put("$var(marked)", self.entry.mark(raw()))
        except sip.Malformed:
            return -1  # anybody can send any number of them
        except Exception as error:
            log_fault("not let in", error)
            return -1
        return 1

    def closed(self, _message: Any) -> int:
        """The connection at hand was closed, which a carrier had accepted. All others wait."""
        try:
            names, place = self.ways.lost()
            for name in names:
                told = {"CarrierName": name, "Address": place, "Disconnected": True}
                self.reports.tell("ReportTrunk", told)
        except Exception as error:
            log_fault("loss not told", error)
        return 1

    def sweep(self, _message: Any) -> int:
        """Called by a timer, in a process of its own."""
        try:
            self.loiterers.sweep(time.monotonic())
        except Exception as error:
            log_fault("not swept", error)
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
            self.ways.answer_at_place(request.first("via"))
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
            self.calls.give_up(sip.user(request.uri))
        elif request.address("to").tag or request.method == "ACK":
            self.dialogs.take(request, origin, source)
        elif origin == CONTROL and request.all("x-carrier") and request.method in ERRANDS:
            self._run_errand(request)
        elif request.method == "OPTIONS":
            self._options(request, origin)
        elif request.method == "INVITE":
            self.calls.begin(request, origin, source)
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

    def may_connect(self, _message: Any) -> int:
        """Whether whoever asks for a WebSocket may have one: who has a password tells it later."""
        source = source_of()
        origin = self.senders.origin(source)
        if not self.senders.may_be_from(KSR.pv.get("$hdr(Origin)"), origin):
            return -1
        if origin:
            KSR.tcpops.tcp_set_connection_lifetime(self.settings.known_seconds)
            return 1
        return 1 if self.senders.guard and not self._floods(source) else -1


def told(error: Exception, status: int) -> str:
    """What is logged of it: our own words, or of what nobody expected, the place alone."""
    return _where(error) if status == 500 else str(error)


def log_fault(what: str, error: Exception) -> None:
    KSR.err(f"{what}: {type(error).__name__} {_where(error)}\n")


def _where(error: BaseException) -> str:
    """Function and line of a fault, never its text: it could hold a number."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
