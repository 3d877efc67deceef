"""rtpengine, which relays the sound: its command line and its health."""

from pathlib import Path

from maskline.domain.connector import LONGEST_CALL_SECONDS, LONGEST_RING_SECONDS
from maskline.engines.ground import Runner, empty_directory
from maskline.engines.ng import NgClient
from maskline.engines.supervision import Program
from maskline.settings import Address, Settings

# How long ports stay taken after a call: late packets of it must not reach the next one.
DELETE_SECONDS = 2
# What is beyond the longest that any connector's rules may allow. The control plane keeps to the
# rules; rtpengine acts only if it fails to.
MARGIN_SECONDS = 60
# While a phone rings that has described its sound, nobody need send any. Of a call that was
# answered the keeper looks for silence; one on hold may be silent as long as it lasts.
SILENCE_SECONDS = LONGEST_RING_SECONDS + MARGIN_SECONDS
# Syslog's levels. The control protocol warns of every call it is asked about and does not hold,
# which is what we ask for.
WARNINGS, ERRORS = 4, 3


def program(
    settings: Settings, directory: Path, spool: Path, control: Address, client: NgClient
) -> Program:
    """rtpengine with the media settings, in `directory`, controlled at the address `control`.

    What it is told to record it writes into `spool`.
    """
    runner = Runner.named(settings.media.user, "media.user")
    runner.take(empty_directory(directory))
    longest = LONGEST_CALL_SECONDS + MARGIN_SECONDS
    command = runner.command(
        "rtpengine",
        "--config-file=none",  # the distribution's opens ports of its own
        "--foreground",
        "--log-stderr",
        "--no-log-timestamps",
        f"--log-level={WARNINGS}",
        f"--log-level-control={ERRORS}",
        "--table=-1",
        *(f"--interface={address}" for address in settings.media.addresses),
        f"--listen-ng={control}",
        f"--port-min={settings.media.ports.first}",
        f"--port-max={settings.media.ports.last}",
        # Whoever sends first to a port is not taken for the party while somebody sends from where
        # the party said that it is.
        "--endpoint-learning=heuristic",
        f"--timeout={SILENCE_SECONDS}",
        f"--silent-timeout={longest}",
        f"--final-timeout={longest}",
        f"--offer-timeout={LONGEST_RING_SECONDS + MARGIN_SECONDS}",
        f"--delete-delay={DELETE_SECONDS}",
        "--software-id=maskline",  # in STUN to browsers, in place of its name and version
        f"--pidfile={directory / 'pid'}",
        f"--recording-dir={spool}",
        "--recording-method=pcap",
        "--recording-format=raw",
    )
    return Program(command, {}, client.answers)
