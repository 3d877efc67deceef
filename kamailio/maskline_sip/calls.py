"""Calls to be made: an INVITE that begins one, and the word that it is to ring no longer."""

from __future__ import annotations

from typing import Any

import KSR

from . import firsts, ringing, sdp, sip
from .announcements import Announcements, can_hear
from .answers import RETRY, answer, later, status_of
from .attempts import Abandoned, Attempts
from .balancers import Source
from .bodies import Bodies, description, is_optional
from .others import Others
from .refuse import Refuse
from .reports import Reports
from .senders import Senders, hop_of
from .settings import Settings
from .switch import Switch
from .ways import Ways

TERMINATED = 487  # what tells whoever hangs up before the answer


class Calls:
    def __init__(
        self,
        settings: Settings,
        switch: Switch,
        others: Others,
        bodies: Bodies,
        reports: Reports,
        senders: Senders,
        announcements: Announcements,
        attempts: Attempts,
        ways: Ways,
    ) -> None:
        self._settings, self._switch, self._others, self._bodies = settings, switch, others, bodies
        self._reports, self._senders, self._announcements = reports, senders, announcements
        self._attempts, self._ways = attempts, ways

    def begin(self, request: sip.Message, origin: str, source: Source) -> None:
        """Makes the call that an INVITE of a carrier asks for, if the control plane has it made."""
        if KSR.tm.t_newtran() < 1:
            return  # a retransmission
        if self._others.refuses():
            # Without a time to wait, which would send the carrier's other calls away, too (RFC 3261
            # 21.5.4).
            raise Refuse(503)
        firsts.check(request)
        if self._others.closed:
            raise Refuse(503, RETRY)
        offered = description(request)
        if request.body and offered is None and not is_optional(request):
            raise Refuse(415)
        if offered and not offered.active:
            raise sdp.Unacceptable("no sound")
        silent, carrier = not can_hear(request, offered), self._settings.carriers[origin]
        question = firsts.about_call(request, carrier, source.transport, silent=silent)
        route = self._switch.ask("RouteCall", question)
        if route["Decision"] != "Connect":
            self._refuse(request, offered, route, origin)
            return
        try:
            flow = self._senders.way_back(source, hop_of(request))
            at = self._ways.received_at(request)
            self._attempts.begin(request, route, carrier.mark, flow, at)
        except Abandoned:
            ringing.end(route["CallId"])
            self._reports.ended(route["CallId"], "caller", TERMINATED)
        except Exception as error:
            ringing.end(route["CallId"])
            self._reports.ended(route["CallId"], "us", status_of(error))
            raise

    def _refuse(
        self,
        request: sip.Message,
        offered: sdp.Description | None,
        route: dict[str, Any],
        origin: str,
    ) -> None:
        """At once, or when the caller has heard the announcement."""
        if KSR.tm.t_is_canceled() > 0:
            return  # nobody listens any more, and Kamailio has told them 487
        begin = self._announcements.begin
        if offered and begin(request, offered, route, origin, self._ways.received_at(request)):
            return
        raise Refuse(route["SipStatus"], *later(route))

    def give_up(self, call: str) -> None:
        """The control plane does not want the call to ring any longer."""
        if not ringing.overdue(call):
            answer(200 if ringing.cancel(call) else 481)
            return
        answer(200)
        reference = ringing.refuse(call)
        if reference:
            self._bodies.end_of(reference)
            self._reports.ended(call, "us", ringing.UNAVAILABLE)
