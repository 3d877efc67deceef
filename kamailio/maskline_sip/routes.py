"""The routes that Kamailio runs. They know SIP and no business rule: the control plane decides,
`mask` writes, Kamailio carries. Whatever goes wrong, nothing unmasked leaves: the gate lets pass
only what these routes wrote."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import time
from typing import Any
from urllib.parse import unquote

import KSR

from . import allowed, mask, sdp, sip, texts
from .gate import Entrance, Gate
from .kept import context, passage_of
from .media import OFF, Media, MediaDown, Terms
from .settings import CONTROL, Settings, bracketed
from .switch import Switch, SwitchDown

CONTEXT = "$avp(maskline)"
CARRIED_BY = {"ws": "tcp", "wss": "tls"}
RETRY = "Retry-After: 5"
NUMBER = re.compile(r"\+?\d{3,15}")
Q850 = re.compile(r"Q\.850\s*;\s*cause\s*=\s*(\d{1,3})", re.IGNORECASE)


def raw() -> bytes:
    """The message as it came, byte for byte: Kamailio's own text type would refuse some bytes."""
    return base64.b64decode(KSR.pv.get("$(mb{s.encode.base64})"))


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
        self.media = Media(settings.media_control, settings.media_addresses)

    def child_init(self, _rank: int) -> int:
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
        except (SwitchDown, MediaDown) as error:
            KSR.err(f"{type(error).__name__}: {error}\n")
            answer(503, RETRY)
        except Exception as error:
            KSR.err(f"request route failed: {type(error).__name__} {_where(error)}\n")
            answer(500)
        return 1

    def reply(self, _message: Any) -> int:
        try:
            self._reply()
        except Exception as error:
            KSR.err(f"reply dropped: {type(error).__name__} {_where(error)}\n")
            return -1
        return 1

    def failed(self, _message: Any) -> int:
        try:
            self._failed()
        except Exception as error:
            KSR.err(f"failure route failed: {type(error).__name__} {_where(error)}\n")
        return 1

    def gate(self, _message: Any) -> int:
        try:
            KSR.pv.sets("$var(masked)", base64.b64encode(self.door.leave(raw())).decode())
        except Exception as error:
            KSR.err(f"kept back: {type(error).__name__} {_where(error)}\n")
            return -1
        return 1

    def entrance(self, _message: Any) -> int:
        try:
            KSR.pv.sets("$var(marked)", base64.b64encode(self.entry.mark(raw())).decode())
        except Exception as error:
            KSR.err(f"not let in: {type(error).__name__} {_where(error)}\n")
            return -1
        return 1

    # -- requests, step by step

    def _request(self) -> None:
        origin = self._origin()
        if origin is None:
            return  # strangers get silence
        request = sip.parse(self.entry.unmark(raw()))
        if request.method == "CANCEL":
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
        elif request.address("to").tag:
            self._within_dialog(request, origin)
        elif request.method == "OPTIONS":
            answer(200)
        elif request.method == "INVITE":
            self._invite(request, origin)
        elif request.method == "MESSAGE":
            self._message(request, origin)
        elif request.method != "ACK":
            raise Refuse(405)

    def _origin(self) -> str | None:
        return self.settings.origin(*(KSR.pv.get(name) for name in ("$si", "$sp", "$proto")))

    def _within_dialog(self, request: sip.Message, origin: str) -> None:
        if KSR.tm.t_check_trans() >= 0:
            return  # a retransmission, or the ACK of a failure: the transaction has it
        passage = mask.dialog_passage(self.keys, request, _flow())
        if passage is None:
            if request.method == "ACK":
                return
            raise Refuse(481)
        if request.method in mask.CONTACT_METHODS and not passage.near.routes:
            passage = dataclasses.replace(passage, near=self._routed(passage.key, passage.near))
        if request.method not in allowed.METHODS:
            raise Refuse(405)
        _check(request)
        body = self._request_body(request, passage)
        if request.method == "BYE":
            self._ended_by(request, passage, origin)
        self._relay(request, passage, body, context(passage, request, body, _received_at()))

    def _invite(self, request: sip.Message, origin: str) -> None:
        if KSR.tm.t_newtran() < 1:
            return  # a retransmission
        _check(request)
        offered = _description(request)
        route = self.switch.ask("RouteCall", _question(request, origin))
        if route["Decision"] != "Connect":
            retry = [f"Retry-After: {route['RetryAfter']}"] if route.get("RetryAfter") else []
            raise Refuse(route["SipStatus"], *retry)
        try:
            self._connect(request, route, offered, self.settings.carriers[origin].mark)
        except Exception as error:
            status = 503 if isinstance(error, MediaDown) else 500
            self._report(route["CallId"], "Ended", EndedBy="us", SipStatus=status)
            raise

    def _connect(
        self,
        request: sip.Message,
        route: dict[str, Any],
        offered: sdp.Description | None,
        trunk: str,
    ) -> None:
        carrier = self.settings.carriers[route["CarrierName"]]
        local = self.settings.listener(carrier.transport, carrier.address)
        shown, called = f"sip:{route['Caller']}@{local}", carrier.uri(route["Called"])
        call = mask.Call(route["CallId"], shown, called, trunk, carrier.mark)
        passage = mask.first_passage(self.keys, request, call, _flow())
        body = allowed.NO_BODY
        if offered:
            terms = self._terms(passage.near, passage.far, new=True)
            relayed = self.media.offer(route["CallId"], mask.CALLER, offered, terms)
            body = self._sdp_body(relayed, passage)
        self._remember_routes(passage.key, passage.near)
        kept = context(passage, request, body, _received_at())
        KSR.tm.t_set_fr(1000 * route["MaxRingSeconds"], 5000)
        KSR.tm.t_on_failure("failed")
        self._relay(request, passage, body, kept)

    def _relay(
        self, request: sip.Message, passage: mask.Passage, body: allowed.Body, kept: dict[str, Any]
    ) -> None:
        far = passage.far
        hop = far.flow or (sip.address(far.routes[0]).uri if far.routes else far.target)
        transport = _transport(hop)
        local = self.settings.listener(transport, sip.host(hop))
        if local is None:
            raise Refuse(503, RETRY)
        if transport == "tls":
            self._choose_certificate(far)
        payload = mask.request_payload(
            self.keys, passage, request, _contact(local, transport), body
        )
        KSR.pv.sets("$ru", far.target)
        KSR.pv.sets("$du", hop.replace(";transport=wss", ";transport=ws"))  # RFC 7118 5.2.1
        KSR.pv.sets("$fs", f"{CARRIED_BY.get(transport, transport)}:{local}")
        KSR.hdr.append(self.door.header(payload))
        KSR.pv.sets(CONTEXT, json.dumps(kept))
        KSR.tm.t_on_reply("back")
        if KSR.tm.t_relay() < 0:
            raise Refuse(503, RETRY)

    # -- connections

    def _choose_certificate(self, far: mask.Leg) -> None:
        """Which section of tls.cfg holds if a connection has to be made."""
        carrier = self.settings.marked.get(far.trunk)
        KSR.tls.set_connect_server_id(carrier.tls_profile if carrier else "default")
        if carrier and not carrier.tls_name[-1:].isdigit():  # an address is not told (RFC 6066 3)
            KSR.pv.sets("$xavp(tls=>server_name)", carrier.tls_name)

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
        """A text from the control plane, which names the carrier and both numbers."""
        carrier = self.settings.carriers[unquote(request.first("x-carrier"))]
        local = self.settings.listener(carrier.transport, carrier.address)
        shown = f"sip:{sip.user(request.address('from').uri)}@{local}"
        called = carrier.uri(sip.user(request.uri))
        text = mask.Call("text", shown, called, called_trunk=carrier.mark)
        passage = mask.first_passage(self.keys, request, text)
        kept = context(passage, request, allowed.NO_BODY, _received_at())
        self._relay(request, passage, texts.body(request.body), kept)

    # -- route sets: a leg's is fixed when the dialog is made (RFC 3261 12.2), but a party that
    #    moves sends a new Contact alone, and what we seal anew must hold the old routes

    def _remember_routes(self, key: str, leg: mask.Leg) -> None:
        if leg.routes:
            KSR.htable.sht_sets("routes", self._route_key(key, leg), json.dumps(leg.routes))

    def _routed(self, key: str, leg: mask.Leg) -> mask.Leg:
        known = KSR.htable.sht_get("routes", self._route_key(key, leg))
        return dataclasses.replace(leg, routes=tuple(json.loads(known))) if known else leg

    def _route_key(self, key: str, leg: mask.Leg) -> str:
        return self.keys.alias(key, "routes", leg.call_id, leg.tag)

    # -- replies

    def _reply(self) -> None:
        kept = json.loads(KSR.pv.get(CONTEXT))
        reply = sip.parse(raw())
        passage, asked = passage_of(kept), mask.Asked(**kept["asked"])
        first = kept["method"] == "INVITE" and not passage.far.tag
        body = allowed.NO_BODY
        if kept["method"] != "MESSAGE":
            body = self._reply_body(reply, passage, kept["offered"])
        payload = mask.reply_payload(self.keys, passage, asked, reply, body)
        KSR.hdr.append(self.door.header(payload))
        if first and reply.status < 300:
            self._progressed(reply, passage, asked, kept)

    def _progressed(
        self, reply: sip.Message, passage: mask.Passage, asked: mask.Asked, kept: dict[str, Any]
    ) -> None:
        event = "Ringing" if reply.status < 200 else "Answered"
        if event in kept["reported"] or reply.status in (181, 182):
            return
        KSR.pv.sets(CONTEXT, json.dumps({**kept, "reported": [*kept["reported"], event]}))
        self._remember_routes(passage.key, mask.answered_leg(passage, reply))
        legs = self._legs(reply, passage, asked) if event == "Answered" else None
        self._report(passage.near.reference, event, SipStatus=reply.status, Legs=legs)

    def _legs(
        self, reply: sip.Message, passage: mask.Passage, asked: mask.Asked
    ) -> list[dict[str, str]]:
        """What a BYE to each party looks like when it comes from the other one: the control
        plane ends a call by sending us these."""
        key, near, far = passage.key, passage.near, mask.answered_leg(passage, reply)
        near_tag = self.keys.alias(key, "tag", near.call_id, near.tag)
        far_tag = self.keys.alias(key, "tag", far.call_id, far.tag)

        def leg(sender: mask.Leg, tag: str, target: mask.Leg) -> dict[str, str]:
            return {
                "CallId": sender.call_id,
                "From": f"{sender.own};tag={sender.tag}",
                "To": f"{sender.peer};tag={tag}",
                "Target": f"sip:{self.keys.seal(key, target)}@{asked.local}",
            }

        return [leg(near, far_tag, far), leg(far, near_tag, near)]

    def _failed(self) -> None:
        kept = json.loads(KSR.pv.get(CONTEXT))
        reference = passage_of(kept).near.reference
        status = KSR.pv.get("$T_reply_code")
        if KSR.tm.t_is_canceled() > 0:
            ended_by, status = "caller", 487
        elif KSR.tm.t_branch_timeout() > 0 and kept["reported"]:
            ended_by = "us"
        elif KSR.tm.t_branch_timeout() > 0:
            ended_by, status = "carrier", 503
            KSR.hdr.append_to_reply(RETRY + "\r\n")
            KSR.tm.t_reply(status, allowed.reason(status))
        else:
            ended_by = "carrier" if 500 <= status < 600 else "called"
        self.media.delete(reference)
        self._report(reference, "Ended", EndedBy=ended_by, SipStatus=status)

    # -- bodies

    def _request_body(self, request: sip.Message, passage: mask.Passage) -> allowed.Body:
        if request.method == "INFO":
            kind = request.first("content-type").partition(";")[0].strip().lower()
            return allowed.key_press(kind, request.body)
        given = _description(request)
        if given is None or request.method not in ("INVITE", "UPDATE", "ACK", "PRACK"):
            return allowed.NO_BODY
        call, sender = passage.near.reference, passage.near.side
        terms = self._terms(passage.near, passage.far)
        if request.method == "ACK":
            relayed = self.media.answer(call, passage.far.side, sender, given, terms)
        else:
            relayed = self.media.offer(call, sender, given, terms)
        return self._sdp_body(relayed, passage)

    def _reply_body(self, reply: sip.Message, passage: mask.Passage, offered: bool) -> allowed.Body:
        given = _description(reply) if reply.status < 300 else None
        if given is None:
            return allowed.NO_BODY
        call, offerer, answerer = passage.near.reference, passage.near.side, passage.far.side
        if offered:
            terms = self._terms(passage.far, passage.near)
            relayed = self.media.answer(call, offerer, answerer, given, terms)
        else:
            terms = self._terms(passage.far, passage.near, new=not passage.far.tag)
            relayed = self.media.offer(call, answerer, given, terms)
        return self._sdp_body(relayed, passage)

    def _terms(self, sender: mask.Leg, receiver: mask.Leg, *, new: bool = False) -> Terms:
        """What holds for the sound between two legs; `new` when the engine does not know the
        receiver yet."""
        family = "IP6" if sip.host(receiver.target).startswith("[") else "IP4"
        known = not new or family not in self.settings.media_families
        return Terms(self._srtp(sender), self._srtp(receiver), "" if known else family)

    def _srtp(self, leg: mask.Leg) -> str:
        carrier = self.settings.marked.get(leg.trunk)
        return carrier.srtp if carrier else OFF

    def _sdp_body(self, relayed: sdp.Description, passage: mask.Passage) -> allowed.Body:
        call_id = passage.near.call_id
        session = int(self.keys.alias(passage.key, "sdp", call_id)[:6], 36)
        return allowed.Body("application/sdp", sdp.write(relayed, session, int(time.time())))

    # -- reports

    def _ended_by(self, request: sip.Message, passage: mask.Passage, origin: str) -> None:
        ended_by = "us" if origin == CONTROL else passage.near.side
        cause = Q850.search(request.first("reason"))
        self.media.delete(passage.near.reference)
        self._report(
            passage.near.reference,
            "Ended",
            EndedBy=ended_by,
            SipStatus=200,
            Cause=int(cause[1]) if cause else 16,
        )

    def _report(self, call: str, event: str, **details: Any) -> None:
        given = {k: v for k, v in details.items() if v is not None}
        stamp = int(time.time() * 1000)
        try:
            self.switch.report(
                "ReportCall", {"CallId": call, "Event": event, "Timestamp": stamp, **given}
            )
        except SwitchDown as error:
            KSR.err(f"{event} not reported: {error}\n")


def _check(request: sip.Message) -> None:
    if allowed.hops(request) < 0:
        raise Refuse(483)
    missing = allowed.unsupported(request)
    if missing and request.method not in ("ACK", "CANCEL"):
        raise Refuse(420, f"Unsupported: {', '.join(missing)}")


def _question(request: sip.Message, origin: str) -> dict[str, str]:
    """The numbers of a call's first request. A trusted carrier asserts who calls (RFC 3325)."""
    asserted = [sip.address(value).uri for value in request.listed("p-asserted-identity")]
    callers = [sip.user(uri) for uri in [*asserted, request.address("from").uri]]
    caller = next((number for number in callers if NUMBER.fullmatch(number)), "")
    called = sip.user(request.uri)
    if not NUMBER.fullmatch(called):
        raise Refuse(404)
    return {"CarrierName": origin, "Caller": caller, "Called": called}


def _description(message: sip.Message) -> sdp.Description | None:
    text = sdp.from_body(message.first("content-type"), message.body) if message.body else b""
    return sdp.read(text) if text else None


def _transport(uri: str) -> str:
    found = re.search(r";transport=([a-z]{2,4})", uri, re.IGNORECASE)
    otherwise = "tls" if uri.lower().startswith("sips:") else "udp"
    return found[1].lower() if found else otherwise


def _received_at() -> str:
    where = f"{bracketed(KSR.pv.get('$Ri'))}:{KSR.pv.get('$Rp')}"
    return _contact(where, KSR.pv.get("$proto"))


def _flow() -> str:
    """The way back to a sender who cannot be connected to (RFC 7118 5.2), else empty."""
    transport = KSR.pv.get("$proto")
    if transport not in ("ws", "wss"):
        return ""
    return f"sip:{bracketed(KSR.pv.get('$si'))}:{KSR.pv.get('$sp')};transport={transport}"


def _contact(local: str, transport: str) -> str:
    return local if transport == "udp" else f"{local};transport={transport}"


def _where(error: BaseException) -> str:
    """Module and line of a fault, never its text: it could hold a number."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
