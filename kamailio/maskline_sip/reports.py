"""What the control plane is told of a call."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import KSR

from . import mask
from .endings import cause_told
from .engines import call_of
from .kept import Kept
from .switch import Switch, SwitchDown

MOST_UNTOLD = 1000  # reports that a worker keeps, of some kilobytes each
AGAIN_SECONDS = 1.0  # after which is told again what could not be told


class Reports:
    """What could not be told of a call is kept and told later, before all else: a call of whose
    answer nobody knows would last for ever."""

    def __init__(self, keys: mask.Keyring, switch: Switch) -> None:
        self._keys, self._switch = keys, switch
        self._untold: deque[dict[str, Any]] = deque(maxlen=MOST_UNTOLD)
        self._again_at = 0.0

    def progressed(
        self, kept: Kept, event: str, status: int, far: mask.Leg, carrier: str | None
    ) -> None:
        legs = self._legs(kept, far) if event == "Answered" else None
        call = kept.passage.near.reference
        self.report(call, event, SipStatus=status, Legs=legs, CarrierName=carrier)

    def moved(self, kept: Kept, status: int, far: mask.Leg) -> None:
        """Either party may have told another place in a request within the call, or in its reply:
        there a hang-up must go."""
        call = kept.passage.near.reference
        self.report(call, "Moved", SipStatus=status, Legs=self._legs(kept, far))

    def hung_up(self, call: str, ended_by: str, reason: str) -> None:
        """A BYE came by, with this Reason (RFC 3326)."""
        self.ended(call, ended_by, 200, cause_told(reason))

    def stranded(self, call: str, ended_by: str, reason: str) -> None:
        """A BYE came that could not be sent on: the control plane is to see to the other party."""
        cause = cause_told(reason)
        self.report(call, "Stranded", EndedBy=ended_by, SipStatus=200, Cause=cause)

    def ended(
        self,
        call: str,
        ended_by: str,
        status: int,
        cause: int | None = None,
        carrier: str | None = None,
    ) -> None:
        """`cause` is Q.850's, if somebody told one; `carrier` the one that the call was with."""
        told = {"EndedBy": ended_by, "SipStatus": status, "Cause": cause, "CarrierName": carrier}
        self.report(call, "Ended", **told)

    def report(self, call: str, event: str, **details: Any) -> None:
        """`call` is the reference that a leg has of it."""
        told = {"CallId": call_of(call), "Event": event, "Timestamp": int(time.time() * 1000)}
        told.update((name, value) for name, value in details.items() if value is not None)
        if len(self._untold) == MOST_UNTOLD:
            KSR.err("a report is lost, for too many could not be told\n")
        self._untold.append(told)
        self.catch_up()

    def catch_up(self) -> None:
        """Tells what is to be told of calls, in its order, as far as the control plane hears it."""
        while self._untold and time.monotonic() >= self._again_at:
            try:
                self._switch.report("ReportCall", self._untold[0])
            except SwitchDown as error:
                KSR.info(f"told later: {error}\n")
                self._again_at = time.monotonic() + AGAIN_SECONDS
            else:
                self._untold.popleft()

    def tell(self, operation: str, told: dict[str, Any]) -> None:
        try:
            self._switch.report(operation, told)
        except SwitchDown as error:
            KSR.err(f"{operation} not told: {error}\n")

    def _legs(self, kept: Kept, far: mask.Leg) -> list[dict[str, str]]:
        """What a BYE to each party looks like when it comes from the other one: the control
        plane ends a call by sending us these."""
        key, near = kept.passage.key, kept.passage.near
        near_token = kept.near_token or self._keys.seal(key, near)
        return [
            self.leg(key, near, far, kept.seal(self._keys, far), kept.asked.local),
            self.leg(key, far, near, near_token, kept.asked.local),
        ]

    def leg(
        self, key: str, sender: mask.Leg, target: mask.Leg, token: str, local: str
    ) -> dict[str, str]:
        """One of the two: `token` is the target's leg, sealed."""
        tag = self._keys.alias(key, "tag", target.call_id, target.tag)
        return {
            "CallId": sender.call_id,
            "From": f"{sender.own};tag={sender.tag}",
            "To": f"{sender.peer};tag={tag}",
            "Target": f"sip:{token}@{local.removeprefix('sips:')}",
        }
