"""Kamailio, which carries SIP: its configuration, its command line and its health.

It runs the script package of the `kamailio` folder in the Python of the distribution. What the
script must know stands in a file that only Kamailio's user can read.
"""

import json
import os
import re
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskline.engines import tls
from maskline.engines.control import ControlLine
from maskline.engines.ground import Runner, empty_directory
from maskline.engines.supervision import Program
from maskline.settings import Address, CarrierSip, Settings

PACKAGED_SCRIPT = Path(__file__).with_name("script")
CHECKED_OUT_SCRIPT = Path(__file__).parents[3] / "kamailio"
TEMPLATE = Path("kamailio.cfg.template")
PROCESS_MEGABYTES = 16
# A call that was begun takes half as much again when it ends: so much of the memory that processes
# share is left to those that there are, one part in
RESERVE = 3
ALLOCATOR = "tlsf"  # the default takes seconds to load a hundred certificates
SECRET_BYTES = 16
LONGEST_REQUEST = 48_000  # bytes; in base64 it must fit Kamailio's buffer for texts
# In an address, and in a regular expression without backslashes, which Kamailio's strings change.
POSIX_SPECIAL = re.compile(r"[][.]")
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
# Messages within 30 seconds from an address that is no carrier's, before it is not read any more.
MOST_STRANGE = 60
# Messages within ten seconds from one side of a call, before no more of it are read.
MOST_TALK = 100
# How long a connection may be silent: of one that nobody known has spoken on, and of others.
STRANGER_SECONDS, KNOWN_SECONDS = 5, 600
# Each takes a buffer (tcp_rd_buf_size) and some more of the shared memory, which calls need, too:
# 3983 over TCP left nothing of 256 MB. So they may have a quarter of it.
CONNECTION_KILOBYTES = 66
MOST_CONNECTIONS = 4000
# A worker for each core, for more have colder caches; but no fewer than these, for each waits for
# the control plane and rtpengine, and everybody else with it when others have the processor.
FEWEST_WORKERS = 4
# Bytes, as far as the system allows (net.core.rmem_max). What comes while all workers wait must
# fit: what is lost comes again after half a second, with all else that was.
RECEIVE_BUFFER = 4 << 20


@dataclass(frozen=True)
class Surroundings:
    """What Kamailio must know beside the settings: its own directory, where the others are, and
    the file that tells of other nodes."""

    directory: Path
    switch_socket: Path
    control: Address
    rtpengine: Address
    mask_keys: dict[str, Any]
    node: str
    others: Path


@dataclass(frozen=True)
class Marks:
    """What is new at each start: `secret` marks what the script wrote, `local` what Kamailio says
    by itself, `salt` what it makes of a Call-ID. Nobody outside can know them; but whoever asks for
    a WebSocket is told `local`, for what Kamailio says by HTTP does not pass the gate."""

    secret: str = field(default_factory=lambda: secrets.token_hex(SECRET_BYTES))
    local: str = field(default_factory=lambda: secrets.token_hex(SECRET_BYTES))
    salt: str = field(default_factory=lambda: secrets.token_hex(SECRET_BYTES))


def script_folder() -> Path:
    """The folder of Kamailio's script: in the installed package, or in the checkout."""
    return PACKAGED_SCRIPT if PACKAGED_SCRIPT.is_dir() else CHECKED_OUT_SCRIPT


def script_in(folder: Path) -> dict[Path, bytes]:
    """The files of a script, by their paths in its folder."""
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".template")]
    return {path.relative_to(folder): path.read_bytes() for path in files}


# As it is when we begin: Kamailio may be started again when a later version has been installed
# already, whose script knows that version alone.
SCRIPT = script_in(script_folder())


def program(settings: Settings, around: Surroundings, line: ControlLine) -> Program:
    """Kamailio with a configuration rendered now."""
    runner = Runner.named(settings.sip.user, "sip.user")
    own = empty_directory(around.directory)
    # A copy, because Kamailio's user may not be able to read where we were installed.
    script = own / "script"
    for name, content in SCRIPT.items():
        (script / name).parent.mkdir(parents=True, exist_ok=True)
        (script / name).write_bytes(content)
    marks = Marks()
    template = string.Template(SCRIPT[TEMPLATE].decode())
    configuration = template.substitute(
        placeholders(settings, script, marks, around.control),
        tls=tls_lines(settings, own),
        more=more_lines(settings),
    )
    (own / "kamailio.cfg").write_text(configuration, encoding="utf-8")
    known = script_settings(settings, around, marks)
    (own / "settings.json").write_text(json.dumps(known, indent=2), encoding="utf-8")
    runner.take(own)
    command = runner.command(
        "kamailio",
        *("-f", str(own / "kamailio.cfg"), "-DD", "-E"),
        *("-x", ALLOCATOR, "-X", "fm"),
        *("-m", str(settings.sip.memory_mebibytes), "-M", str(PROCESS_MEGABYTES)),
        *("-w", str(own), "-Y", str(own), "-P", str(own / "pid")),
    )
    environment = {
        "PYTHONPATH": str(script),
        "MASKLINE_SIP_SETTINGS": str(own / "settings.json"),
    }
    return Program(command, environment, line.answers)


def placeholders(
    settings: Settings, script: Path, marks: Marks, control: Address
) -> dict[str, str]:
    """What stands for each placeholder of the template."""
    return {
        "control": f"{control.host}:{control.port}",
        "known": known_sources(settings, control),
        "balanced": from_any(settings.sip.balancers) or truth(False),
        "accepted": accepted(settings),
        "passwords": truth(any(trunk.inbound_username for trunk in settings.trunks.values())),
        "stranger_seconds": str(STRANGER_SECONDS),
        "known_seconds": str(KNOWN_SECONDS),
        "most_connections": str(most_connections(settings.sip.memory_mebibytes)),
        "reserve": str(reserve(settings)),
        "listen": "\n".join(listen_lines(settings)),
        "most_strange": str(MOST_STRANGE),
        "most_talk": str(MOST_TALK),
        "script_dir": str(script),
        "secret": marks.secret,
        "local": marks.local,
        "salt": marks.salt,
        "own_hosts": "|".join(POSIX_SPECIAL.sub(r"[\g<0>]", host) for host in own_hosts(settings)),
        "longest_request": str(LONGEST_REQUEST),
        "workers": str(max(FEWEST_WORKERS, os.cpu_count() or 1)),
        "receive_buffer": str(RECEIVE_BUFFER),
    }


def reserve(settings: Settings) -> int:
    """Bytes of shared memory below which no more calls are begun."""
    return settings.sip.memory_mebibytes * 1024**2 // RESERVE


def most_connections(mebibytes: int) -> int:
    """How many connections there may be beside calls, in so much memory."""
    return min(MOST_CONNECTIONS, mebibytes * 1024 // 4 // CONNECTION_KILOBYTES)


def own_hosts(settings: Settings) -> list[str]:
    """How our addresses may stand in our own Via: a default port is left out."""
    named = [(str(one.address), DEFAULT_PORTS[one.transport]) for one in settings.sip.listen]
    short = [name.removesuffix(f":{port}") for name, port in named if name.endswith(f":{port}")]
    return [name for name, _ in named] + short


def known_sources(settings: Settings, control: Address) -> str:
    """A condition in Kamailio's language: whether a message is from an address that we know."""
    sources = [source for trunk in settings.trunks.values() for source in trunk.sources]
    networks = [*settings.sip.balancers, *(one for one in sources if not one.named)]
    known = [f'"" + $si + ":" + $sp == "{control.host}:{control.port}"', from_any(networks)]
    if any(source.named for source in sources):
        known.append("$sht(sources=>$si) != $null")
    return " || ".join(filter(None, known))


def from_any(networks: Iterable[object]) -> str:
    """The same: whether it came from one of these; nothing where there are none."""
    return " || ".join(f"src_ip == {network}" for network in dict.fromkeys(map(str, networks)))


def accepted(settings: Settings) -> str:
    """A condition in Kamailio's language: whether a message came by a connection that was made to
    us. Those that we make ourselves have ports of the system's choice."""
    ports = dict.fromkeys(one.address.port for one in settings.sip.listen)
    return " || ".join(f"dst_port == {port}" for port in ports)


def truth(value: object) -> str:
    """A condition that always has this value."""
    return "1 == 1" if value else "1 == 0"


# A WebSocket begins as HTTP on an ordinary TCP or TLS port.
CARRIED_BY = {"ws": "tcp", "wss": "tls"}

TLS = """\
enable_tls=yes
loadmodule "tls.so"
modparam("tls", "config", "{file}")
modparam("tls", "xavp_cfg", "tls")
# In place of tcp_connection_lifetime, which holds over TCP alone. Left out, it is ten minutes.
modparam("tls", "connection_timeout", {seconds})
"""
# Strangers who never come to say who they are (maskline_sip/loiterers.py); and that a connection is
# closed, of those alone that showed a carrier's certificate, or by which one registered us
# (maskline_sip/ways.py).
CONNECTIONS = """
loadmodule "jsonrpcs.so"
loadmodule "rtimer.so"
# By none of its own ways (1, 2 and 4): the script alone asks.
modparam("jsonrpcs", "transport", 8)
modparam("jsonrpcs", "pretty_format", 0)
modparam("rtimer", "timer", "name=loiterers;interval=3;mode=1")
modparam("rtimer", "exec", "timer=loiterers;route=LOITERERS")
modparam("tcpops", "closed_event", 2)

route[LOITERERS] {
	python_exec("sweep");
}

event_route[tcp:closed] {
	python_exec("closed");
}

event_route[tcp:timeout] {
	python_exec("closed");
}

event_route[tcp:reset] {
	python_exec("closed");
}
"""
WEBSOCKET = """
loadmodule "xhttp.so"
loadmodule "websocket.so"
# What a ping says, which else would be our version of Kamailio.
modparam("websocket", "ping_application_data", "ping")

event_route[xhttp:request] {
	if ($(hdr(Upgrade){s.tolower}) == "websocket" && $sht(strangers=>$si) <= MOST_STRANGE
			&& python_exec("may_connect")) {
		ws_handle_handshake();
	} else {
		tcp_close_connection();
	}
}
"""


def listen_lines(settings: Settings) -> list[str]:
    sockets = [
        f"listen={CARRIED_BY.get(one.transport, one.transport)}:{one.address}"
        for one in settings.sip.listen
    ]
    return list(dict.fromkeys(sockets))


def tls_lines(settings: Settings, own: Path) -> str:
    """The tls module, which must be loaded before any other that uses its library."""
    if not tls.speaks_tls(settings):
        return ""
    return TLS.format(file=tls.write(settings, own / "tls"), seconds=STRANGER_SECONDS)


def more_lines(settings: Settings) -> str:
    """What else some transports need; it stands where all other modules are loaded."""
    websocket = any(listener.transport in CARRIED_BY for listener in settings.sip.listen)
    connected = any(listener.transport != "udp" for listener in settings.sip.listen)
    lines = CONNECTIONS if connected else ""
    return lines + (WEBSOCKET.replace("MOST_STRANGE", str(MOST_STRANGE)) if websocket else "")


def script_settings(settings: Settings, around: Surroundings, marks: Marks) -> dict[str, Any]:
    """What the script reads: the carriers it may talk to, its keys, where we can be asked."""
    return {
        "secret": marks.secret,
        "local": marks.local,
        "salt": marks.salt,
        "own_hosts": own_hosts(settings),
        **around.mask_keys,
        "switch_socket": str(around.switch_socket),
        "listen": [str(listener) for listener in settings.sip.listen],
        "advertise": [str(listener) for listener in settings.sip.advertise],
        "balancers": [str(network) for network in settings.sip.balancers],
        "websocket_origins": [str(origin) for origin in settings.sip.websocket_origins],
        "node": around.node,
        "known_seconds": KNOWN_SECONDS,
        "stranger_seconds": STRANGER_SECONDS,
        "most_strange": MOST_STRANGE,
        "others": str(around.others),
        "reserve": reserve(settings),
        "control": str(around.control),
        "media_control": str(around.rtpengine),
        "named_sources": any(s.named for one in settings.trunks.values() for s in one.sources),
        "media_addresses": [str(address) for address in settings.media.addresses],
        "carriers": [
            carrier_settings(place, *named) for place, named in enumerate(settings.trunks.items())
        ],
    }


def carrier_settings(place: int, name: str, trunk: CarrierSip) -> dict[str, Any]:
    return {
        "name": name,
        "address": str(trunk.address),
        "transports": [transport for _, transport, _, _ in trunk.places],
        "messages": trunk.messages,
        "sources": [str(source) for source in trunk.sources if not source.named],
        "srtp": trunk.srtp,
        "tls_profile": tls.profile(place, trunk),
        "tls_names": tls.names(trunk) if trunk.probed_every else [],
        "domain": trunk.domain,
        "username": trunk.username,
        "register": trunk.register,
        "realm": trunk.realm,
        "password": trunk.secret,
        "inbound_username": trunk.inbound_username,
        "inbound_password": trunk.inbound_password and trunk.inbound_password.text,
        "inbound_password_always": trunk.inbound_password_always,
        "identity": trunk.identity,
        "codecs": trunk.codecs,
    }
