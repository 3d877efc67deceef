"""Kamailio's side of the switch, for tests that need a call's record without a call."""

import json
import socket
import time
from pathlib import Path
from typing import Any


class Switch:
    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, operation: str, **given: Any) -> Any:
        """The operation's output."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self._path))
            request = json.dumps({"operation": operation, "input": given})
            line.sendall(request.encode() + b"\n")
            answer = json.loads(line.makefile().readline())
        return answer["output"]

    def call(self, caller: str, called: str) -> str:
        """Opens the record of a call that was put through and answered; its id."""
        answer = self.ask("RouteCall", CarrierName="acme", Caller=caller, Called=called)
        assert answer["Decision"] == "Connect", answer
        call_id: str = answer["CallId"]
        legs = [
            {"CallId": leg, "From": "<sip:a@h>;tag=1", "To": "<sip:b@h>;tag=2", "Target": "sip:a@h"}
            for leg in ("one", "two")
        ]
        self.ask(
            "ReportCall",
            CallId=call_id,
            Event="Answered",
            Timestamp=time.time_ns() // 1_000_000,
            Legs=legs,
        )
        return call_id
