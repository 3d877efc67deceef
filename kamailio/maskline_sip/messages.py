"""Texts over SIP (RFC 3428): what a carrier brings goes to the control plane, and what the control
plane sends goes out masked."""

from __future__ import annotations

from urllib.parse import unquote

import KSR

from . import firsts, kept, mask, sip, texts
from .answers import RETRY, answer, later
from .others import Others
from .refuse import Refuse
from .relay import Relay
from .settings import Carrier, Settings, Target
from .switch import Switch
from .ways import Ways, transport_of


class Messages:
    def __init__(
        self,
        settings: Settings,
        keys: mask.Keyring,
        switch: Switch,
        others: Others,
        relay: Relay,
        ways: Ways,
    ) -> None:
        self._settings, self._keys, self._others = settings, keys, others
        self._switch, self._relay, self._ways = switch, relay, ways

    def take(self, request: sip.Message, origin: str) -> None:
        """A MESSAGE from a carrier, or from the control plane."""
        carrier = self._settings.carriers.get(origin)
        if carrier and not carrier.messages:
            raise Refuse(405)
        if carrier and self._others.short and KSR.tm.t_check_trans() < 0:
            raise Refuse(503, RETRY)
        if KSR.tm.t_newtran() < 1:
            return  # a retransmission
        firsts.check(request)
        if carrier:
            self._accept(request, carrier)
        else:
            self._send(request)

    def _accept(self, request: sip.Message, carrier: Carrier) -> None:
        """A text from a carrier: answered when it is kept (RFC 3428 section 7)."""
        sender = request.address("from")
        parts = (request.call_id, sender.tag, str(request.cseq[0]))
        told = {
            **firsts.question(request, carrier),
            "Text": texts.read(request),
            "MessageId": self._keys.alias(self._keys.current, "text", *parts),
        }
        if (sent_at := texts.sent_at(request)) is not None:
            told["SentTimestamp"] = sent_at
        verdict = self._switch.ask("AcceptMessage", told)
        self._ways.answer(carrier.mark)  # that took a while
        answer(verdict["SipStatus"], *later(verdict))

    def _send(self, request: sip.Message) -> None:
        """A text from the control plane, which names the carrier, its target and both numbers."""
        carrier = self._settings.carriers[unquote(request.first("x-carrier"))]
        caller, called = sip.user(request.address("from").uri), sip.user(request.uri)
        where, transport = sip.place_of(request.uri), transport_of(request.uri)
        target = Target(carrier, where, transport, caller, called)
        shown = f"sip:{caller}@{self._settings.host_told(target)}"
        text = mask.Call("text", shown, target.uri, called_trunk=carrier.mark)
        passage = mask.first_passage(self._keys, request, text)
        known = kept.of(passage, request, self._ways.received_at(request))
        self._relay.send(request, passage, texts.body(request.body), known, target.hop)
