"""`maskline route`: what the server would do with a call or a text, and why, in plain words."""

import sys
from typing import Any

from maskline.cli import services
from maskline.cli.commands import Command, Values
from maskline.cli.globals import Globals
from maskline.cli.options import Option


def run(values: Values, bare: list[str], globals_: Globals) -> int:
    """Ask the server about a call that nobody makes; the exit code."""
    admin = services.SERVICES["admin"]
    operation = services.operations_of(admin)["evaluate-route"]
    answer = services.perform(globals_, admin, operation, values)
    if globals_.query is not None or globals_.output(default=""):
        services.show_picked(globals_, operation.name, answer, "json")
    else:
        sys.stdout.write(in_words(values, answer))
    return 0


COMMAND = Command(
    "route",
    "tells what would become of a call or a text, and why",
    (
        "Asks the server what it would do with a call or a text from one number to another at this"
        " moment. Nobody is called or texted, and nothing is recorded.",
        "The answer is given in plain words; with --output or --query it is given as data.",
    ),
    (
        Option(
            "caller",
            "Caller",
            required=True,
            documentation="The number that calls, such as +12065550100; empty if withheld.",
        ),
        Option(
            "called",
            "Called",
            required=True,
            documentation="The proxy number that is dialled, such as +19135550199.",
        ),
        Option(
            "capability",
            "Capability",
            documentation="Voice for a call, which is what is meant when it is left out; SMS for a"
            " text.",
        ),
    ),
    run,
)

# Reason -> what it means for the person who looks.
REASONS = {
    "session": "an open proxy session joins the caller and this proxy number",
    "fallback": "the caller's session has ended; the connector's fallback number takes the call",
    "session-closed": "the caller's session has ended, and there is no fallback number",
    "unknown-caller": "no open proxy session joins this caller and this number",
    "voice-not-allowed": "the proxy session joins them, but its capabilities do not include Voice",
    "not-our-number": "the number dialled is not in the inventory",
    "emergency-number": "the other side is an emergency or short number, which is never dialled",
    "barred-number": "the other side is a premium-rate number or barred by the settings",
    "encryption-required": "the connector takes encrypted calls alone, and a carrier has none",
    "too-many-calls": "the connector or the caller has as many calls as the rules allow",
    "sms-not-allowed": "the proxy session joins them, but its capabilities do not include SMS",
    "opted-out": "the other side has said STOP to this number",
    "loop": "one of the two is itself a proxy number of the account",
    "short-code": "the sender is an emergency or short number, which nobody could answer",
    "no-carrier": "its carrier is down, full, no longer in the settings, or takes none of these",
    "anonymous": "the caller withholds their number, so nobody can tell whose call it is",
}


def in_words(question: Values, answer: dict[str, Any]) -> str:
    """The decision and its reason, a line for each thing worth knowing."""
    reason = str(answer.get("Reason", ""))
    text = question.get("Capability") == "SMS"
    lines = [
        f"{question['Caller'] or 'anonymous'} {'texts' if text else 'calls'} {question['Called']}"
    ]
    if answer.get("Decision") == "Reject":
        lines.append(f"Decision: Reject (SIP {answer.get('SipStatus', '?')})")
    else:
        lines.append(f"Decision: {answer.get('Decision', '?')}")
        lines.append(
            f"  {'reaches' if text else 'rings'} {answer.get('Called', '?')}"
            f" through {answer.get('CarrierName', '?')}"
        )
        lines.append(
            f"  which shows {answer.get('Caller', '?')} as the {'sender' if text else 'caller'}"
        )
    lines.append(f"Reason: {reason}: {REASONS.get(reason, 'see the call records for more')}")
    return "\n".join(lines) + "\n"
