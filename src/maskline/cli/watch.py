"""`maskline chime list-proxy-sessions --watch`: the sessions, live."""

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from maskline.cli import services
from maskline.cli.globals import Globals
from maskline.cli.output.table import Section, write_sections

if TYPE_CHECKING:
    from maskline.model import Operation

EVERY = 2.0  # seconds
CLEAR = "\033[H\033[J"
MEMBERS = ("ProxySessionId", "Status", "ExpiryMinutes", "UpdatedTimestamp")
HEADERS = ["Session", "Status", "Minutes", "Updated", *["Participant", "dials"] * 2]


def run(
    service: services.ServiceCommand,
    operation: "Operation",
    parameters: dict[str, Any],
    value: Any,
    globals_: Globals,
) -> int:
    """Draw the list again and again; the exit code once the user has seen enough."""
    terminal = sys.stdout.isatty()
    try:
        while True:
            answer = services.perform(globals_, service, operation, parameters)
            sys.stdout.write(CLEAR if terminal else "")
            draw(answer, datetime.now(UTC))
            sys.stdout.flush()
            time.sleep(EVERY)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return 0


def draw(answer: dict[str, Any], now: datetime) -> None:
    """The sessions of an answer as one table, as they are at a moment."""
    sessions = answer.get("ProxySessions", [])
    first = "the first " if answer.get("NextToken") else ""
    title = f"{first}{len(sessions)} proxy sessions at {now:%H:%M:%S} UTC"
    rows = [row(session) for session in sessions]
    write_sections([Section(title, 0, HEADERS if rows else [], rows)], sys.stdout)


def row(session: dict[str, Any]) -> list[str]:
    """One session: what it is, and who reaches whom through what."""
    cells = [str(session.get(member, "")) for member in MEMBERS]
    for participant in [*session.get("Participants", []), {}, {}][:2]:
        cells += [participant.get("PhoneNumber", ""), participant.get("ProxyPhoneNumber", "")]
    return cells
