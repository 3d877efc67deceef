"""A call's first request on its way out: to one target after the other until one takes it, and
with a password where the carrier asks for one."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import KSR

from . import challenges, kept, mask, ringing, sdp, sip
from .bodies import Bodies, description
from .challenges import Answers, Proofs
from .gate import Gate
from .kept import Kept
from .media import MediaDown
from .reports import Reports
from .route_sets import RouteSets
from .settings import Carrier, Settings, Target
from .tables import Table
from .ways import NoWay, Ways, contact

CHALLENGED = Table("challenged")  # how far ahead the numbers of INVITEs are
ATTEMPT = "$avp(attempt)"
CONTEXT = "$avp(maskline)"
CARRIER = "$avp(carrier)"  # the name of the one that the call is with now
# Of a reply the number of its branch, from 0; of a failure how many there have been.
BRANCH, OVER = "$T_branch_idx", "$avp(over)"
# Milliseconds that a target may say nothing at all: less while there is another to try; then it may
# not say for longer than the third that it is trying (100), which tells nothing of the phone.
PATIENCE, HASTE, TRYING = 5000, 3000, 20_000
RINGING = "$avp(ringing)"  # milliseconds that the phone may ring, until it is heard of; 0 then
OTHERS_MAY_TAKE_IT = (500, 502, 503, 504)


class Abandoned(Exception):
    """The caller hung up before the call went anywhere, and was told so by Kamailio."""


class Attempts:
    def __init__(
        self,
        settings: Settings,
        keys: mask.Keyring,
        door: Gate,
        bodies: Bodies,
        reports: Reports,
        routes: RouteSets,
        ways: Ways,
    ) -> None:
        self._settings, self._keys, self._door = settings, keys, door
        self._bodies, self._reports, self._routes, self._ways = bodies, reports, routes, ways
        self._proofs = Proofs(keys)

    def begin(
        self, request: sip.Message, route: dict[str, Any], trunk: str, flow: str, at: str
    ) -> None:
        """The first attempt. `trunk` marks the caller's carrier, `flow` and `at` tell how the
        request came. Raises NoWay when nothing could be sent to anybody, Unacceptable when nobody
        may have such sound, Abandoned when nobody is to be called any more."""
        attempt = {"route": route, "trunk": trunk, "flow": flow, "at": at}
        KSR.tm.t_on_failure("failed")
        engines = self._bodies.media.references(route["CallId"])
        for reference in engines:
            ringing.begin(reference, request)
            try:
                self._next(request, attempt | {"reference": reference, "tried": 0})
            except Exception as error:
                self._bodies.end_of(reference)
                if isinstance(error, MediaDown):
                    continue
                raise
            return
        raise MediaDown("no engine takes the call")

    def _next(self, request: sip.Message, attempt: dict[str, Any]) -> None:
        targets = self._settings.targets(attempt["route"])
        reason: Exception = NoWay("no target takes the call")
        while attempt["tried"] < len(targets):
            target = targets[attempt["tried"]]
            attempt |= {"tried": attempt["tried"] + 1}
            challenges.forget()
            try:
                self._send(request, attempt, target, len(targets) > attempt["tried"])
            except NoWay as error:
                reason = error
                self._suspect(target)
                continue
            except sdp.Unacceptable as error:  # by the terms of this target's carrier
                reason = error
                continue
            return
        raise reason

    def _send(
        self,
        request: sip.Message,
        attempt: dict[str, Any],
        target: Target,
        others: bool,
        answers: Answers | None = None,
    ) -> None:
        passage = self._passage(request, attempt, target, authorized=answers is not None)
        self._keep_half(attempt, passage)
        body = self._bodies.first_offer(passage, description(request), target.hop)
        # When hardly anything can keep the call from this target any more: what holds for its
        # connection alone would hold for the next one's.
        local, transport = self._ways.take(
            passage.far.target, target.hop, passage.far.trunk, own=True
        )
        self._routes.remember(passage.key, passage.near)
        token = self._keys.seal(passage.key, passage.near)
        proof = answers.headers(body.content) if answers else []
        if proof:
            self._proofs.keep(passage, request, proof)
        headers = (*identity(target.carrier, passage.far.peer), *proof)
        ours = contact(self._settings, local, transport, secure=mask.wants_sips(passage.far))
        payload = mask.request_payload(self._keys, passage, request, ours, body, token, headers)
        known = kept.of(passage, request, attempt["at"])
        known = known._replace(offered=body.offers, near_token=token)
        wait(1000 * attempt["route"]["MaxRingSeconds"], others)
        KSR.hdr.append(self._door.header(payload))
        KSR.pv.sets(CONTEXT, known.text())
        KSR.pv.sets(ATTEMPT, json.dumps(attempt))
        KSR.pv.sets(CARRIER, target.carrier.name)
        KSR.tm.t_on_reply("back")
        KSR.tm.t_on_failure("failed")
        if KSR.tm.t_relay() < 0:
            raise Abandoned if KSR.tm.t_is_canceled() > 0 else NoWay("not sent")

    def _keep_half(self, attempt: dict[str, Any], passage: mask.Passage) -> None:
        """Between two carriers that encrypt the engine has two calls: one is left over when the
        next carrier does not."""
        halves = self._bodies.halves(passage)
        if halves < attempt.get("halves", halves):
            self._bodies.media.delete_second(attempt["reference"])
        attempt["halves"] = halves

    def _passage(
        self, request: sip.Message, attempt: dict[str, Any], target: Target, *, authorized: bool
    ) -> mask.Passage:
        carrier = target.carrier
        shown = f"sip:{target.caller}@{self._settings.host_told(target)}"
        recorded = "1" if attempt["route"].get("Recorded") else ""
        call = mask.Call(
            attempt["reference"], shown, target.uri, attempt["trunk"], carrier.mark, recorded
        )
        passage = mask.first_passage(self._keys, request, call, attempt["flow"])
        return self._counted(passage, authorized) if carrier.account else passage

    def _counted(self, passage: mask.Passage, authorized: bool) -> mask.Passage:
        """The answer to a challenge has the next CSeq (RFC 3261 22.2); so has all that follows,
        and what the caller asks anew when this is refused (21.4.26, RFC 4028 6)."""
        name = self._keys.alias(passage.key, "challenged", passage.far.call_id)
        ahead = CHALLENGED.get(name) or ""
        if authorized:
            ahead = str(int(ahead or 0) + 1)
            CHALLENGED.put(name, ahead)
        return mask.numbered(passage, passage.near.cseq, ahead)

    def failed(self, known: Kept, request: sip.Message) -> bool:
        """Whether the call goes on in spite of a failure."""
        text = KSR.pv.get(ATTEMPT)
        if not text or known.reported:
            return False
        attempt = json.loads(text)
        target = self._settings.targets(attempt["route"])[attempt["tried"] - 1]
        try:
            with suppress(NoWay):  # who challenged us is gone: as if nothing had been said
                if not may_be_tried_elsewhere():
                    if self._authorize(request, attempt, target):
                        return True
                    if not (challenges.are_final() and passes_by(attempt, target.carrier)):
                        return False
            self._suspect(target)
            self._next(request, attempt)
        except Exception as error:  # whatever it is, this call has ended, and is to be reported
            KSR.err(f"no further attempt: {type(error).__name__}\n")
            return False
        return True

    def end(self) -> None:
        """In a failure: of the attempts until now none goes on."""
        KSR.pv.seti(OVER, KSR.pv.get(BRANCH))

    def progressed(self) -> None:
        """The reply at hand tells more than that the call is being tried."""
        ringing = KSR.pv.get(RINGING)
        if ringing:  # once: each time anew it would never end
            KSR.tm.t_set_fr(ringing, 0)
            KSR.pv.seti(RINGING, 0)

    def is_over(self) -> bool:
        """Whether the reply at hand is of an attempt after which another one was made."""
        over = KSR.pv.get(OVER)
        return over is not None and KSR.pv.get(BRANCH) < over

    def _authorize(self, request: sip.Message, attempt: dict[str, Any], target: Target) -> bool:
        """Whether the target asks for a password, and gets it."""
        answers = challenges.authorization(target.carrier, "INVITE", target.uri)
        if answers is None:
            return False
        others = attempt["tried"] < len(attempt["route"]["Targets"])
        self._send(request, attempt, target, others, answers)
        return True

    def _suspect(self, target: Target) -> None:
        told = {"CarrierName": target.carrier.name, "Address": target.address}
        self._reports.tell("ReportTrunk", told)

    def carrier(self) -> str | None:
        """The name of the carrier that the call is with now."""
        name: str | None = KSR.pv.get(CARRIER)
        return name


def wait(milliseconds: int, others: bool) -> None:
    """For how long the phone may ring, and for how long its carrier may say nothing."""
    silent = HASTE if others else PATIENCE
    KSR.tm.t_set_fr(min(milliseconds, TRYING) if others else milliseconds, silent)
    KSR.pv.seti(RINGING, milliseconds)
    KSR.tm.t_set_max_lifetime(milliseconds + silent, 0)  # whatever else the phone says meanwhile


def may_be_tried_elsewhere() -> bool:
    """After no answer at all, or one that speaks for that target alone (RFC 3263 4.3)."""
    return KSR.tm.t_branch_timeout() > 0 or KSR.pv.get("$T_reply_code") in OTHERS_MAY_TAKE_IT


def passes_by(attempt: dict[str, Any], carrier: Carrier) -> bool:
    """Whether there is another carrier than one that asks who we are, and is not content with what
    it is told: so it would be at each of its places."""
    if carrier.account:
        KSR.err(f"carrier {carrier.name} takes no call: {challenges.trouble(carrier)}\n")
    targets, tried = attempt["route"]["Targets"], attempt["tried"]
    others = [one for one in targets[tried:] if one["CarrierName"] != carrier.name]
    attempt["route"]["Targets"] = targets[:tried] + others
    return bool(others)


def identity(carrier: Carrier, shown: str) -> tuple[tuple[str, str], ...]:
    """Who calls, in the headers that this carrier reads: always the number to be shown."""
    names = {
        "p-asserted-identity": ("P-Asserted-Identity", shown),
        "p-preferred-identity": ("P-Preferred-Identity", shown),
        "remote-party-id": ("Remote-Party-ID", f"{shown};party=calling;privacy=off;screen=yes"),
    }
    return tuple(names[name] for name in carrier.identity)
