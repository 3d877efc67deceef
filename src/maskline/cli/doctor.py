"""`maskline doctor`: looks at all that a service needs, and says what to do where it is amiss."""

import json
import os
import shutil
import socket
import ssl
import stat
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

from maskline import settings
from maskline.cli import services
from maskline.cli.client import Answer, Client, Unreachable
from maskline.cli.commands import Command, Values
from maskline.cli.connection import connect
from maskline.cli.faults import Fault
from maskline.cli.globals import Globals
from maskline.cli.options import Option
from maskline.cli.profile import Beside
from maskline.cli.wire import Request
from maskline.domain.health import State, is_away
from maskline.settings import Address, CarrierSmpp, Settings, SettingsError

GOOD, DOUBTFUL, BAD = "ok", "look", "BAD"
PROGRAMS = {
    "kamailio": "carries SIP",
    "rtpengine": "carries sound",
    "setpriv": "ties the others to the service",
}
LITTLE_SPACE = 500_000_000  # bytes free under which a store may soon be full
MUCH_SKEW = 60  # seconds; from 300 on, signatures are refused
PATIENCE = 5  # seconds for each question over the network


class Finding(NamedTuple):
    """One thing looked at, and what to do about it where something is to be done."""

    state: str
    text: str
    remedy: str = ""


def run(values: Values, bare: list[str], globals_: Globals) -> int:
    """Look at everything and tell; the exit code. Raises Fault where something is bad."""
    path = Path(str(values.get("config", "maskline.toml")))
    globals_.profile.beside = Beside(path.parent, path.name)
    bad = 0
    for finding in examine(path, globals_):
        bad += finding.state == BAD
        sys.stdout.write(f"{finding.state:<5}{finding.text}\n")
        if finding.remedy:
            sys.stdout.write(f"     -> {finding.remedy}\n")
    sys.stdout.flush()
    if bad:
        raise Fault(f"{bad} of these things are bad" if bad > 1 else "one of these things is bad")
    return 0


def examine(path: Path, globals_: Globals) -> Iterator[Finding]:
    """All findings, from the settings to the number pool."""
    chosen, findings = read_settings(path)
    yield from findings
    if chosen:
        yield from about_data(chosen.data_dir)
        yield from about_programs()
        yield from about_carriers(chosen)
    yield from about_server(chosen, globals_)


def about_server(chosen: Settings | None, globals_: Globals) -> Iterator[Finding]:
    """What the server says, if it runs. One without the API has a door for its health alone."""
    client = connect_without_key(globals_)
    answer, findings = ask_health(client)
    api = answer is not None
    if not api and chosen and chosen.health.listen:
        client = client._replace(endpoint=f"http://{chosen.health.listen}")
        answer, findings = ask_health(client)
    yield from findings
    if answer:
        yield from about_engines(answer)
        yield from about_clock(answer)
    elif chosen:
        yield from about_ports(chosen)
    if api:
        yield from about_key(globals_)
    elif chosen:
        yield from about_store(chosen)


# --- what is on this machine


def read_settings(path: Path) -> tuple[Settings | None, list[Finding]]:
    """The settings, if there are any that can be used."""
    if not path.exists():
        remedy = "`maskline serve` writes it; or name it with --config"
        return None, [Finding(DOUBTFUL, f"there is no settings file {path} here", remedy)]
    try:
        return settings.load(path), [Finding(GOOD, f"the settings in {path} can be used")]
    except SettingsError as error:
        return None, [Finding(BAD, f"{path}: {fault}", "mend this line") for fault in error.faults]
    except OSError as error:
        return None, [Finding(BAD, f"{path} cannot be read: {error.strerror}", "check its owner")]


def about_data(directory: Path) -> Iterator[Finding]:
    if not directory.is_dir():
        yield Finding(
            DOUBTFUL, f"there is no data directory {directory}", "the first start makes it"
        )
        return
    if not os.access(directory, os.W_OK):
        yield Finding(BAD, f"{directory} cannot be written to", "run as its owner, or change it")
    if not os.access(directory, os.R_OK | os.X_OK):
        yield Finding(BAD, f"{directory} cannot be read", "run as its owner")
        return
    free = shutil.disk_usage(directory).free
    state, remedy = (
        (GOOD, "") if free > LITTLE_SPACE else (BAD, "make room before the store is full")
    )
    yield Finding(state, f"{free // 1_000_000:,} MB are free for the database", remedy)
    yield from about_secrets(directory)


def about_secrets(directory: Path) -> Iterator[Finding]:
    """Files that only their owner may read."""
    for path in sorted(directory.iterdir()):
        secret = path.name == "credentials" or path.suffix == ".key"
        if secret and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding(BAD, f"others can read {path}", f"chmod 600 {path}")


def about_programs() -> Iterator[Finding]:
    places = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    for program, use in PROGRAMS.items():
        if shutil.which(program, path=places):
            yield Finding(GOOD, f"{program} is installed")
        else:
            remedy = "`make serve` installs it on Debian"
            yield Finding(BAD, f"{program}, which {use}, is not installed", remedy)


def about_carriers(chosen: Settings) -> Iterator[Finding]:
    if not chosen.carriers:
        remedy = "add a [[carriers]] part to the settings"
        yield Finding(DOUBTFUL, "no carrier is set: nobody can call", remedy)
    for carrier, trunk in chosen.trunks.items():
        name, address = f"carrier {carrier}", trunk.address
        if not address.literal:
            told = (
                f"{name}: {address} is looked up; `maskline admin list-carriers` shows its places"
            )
            yield Finding(GOOD, told)
            continue
        try:
            reach(Address(address.host, address.port or 5060), trunk.transport)
        except OSError as error:
            remedy = "check sip.address of the carrier, and the way there"
            yield Finding(BAD, f"{name}: {address} is out of reach: {error.strerror}", remedy)
        else:
            yield Finding(GOOD, f"{name}: there is a way to {address}")
    for one in chosen.carriers:
        if one.smpp is not None:
            yield about_smpp(f"carrier {one.name}", one.smpp)


def about_smpp(name: str, smpp: CarrierSmpp) -> Finding:
    """Whether the carrier's SMSC is there and is who it should be; nobody binds."""
    place = f"{smpp.host}:{smpp.port}"
    try:
        if smpp.password_file is not None:
            smpp.password_file.read_bytes()
        with socket.create_connection((smpp.host, smpp.port), PATIENCE) as way:
            if smpp.tls:
                context = ssl.create_default_context(cafile=smpp.tls_ca)
                context.wrap_socket(way, server_hostname=smpp.tls_name or smpp.host).close()
    except ssl.SSLCertVerificationError as error:
        remedy = "see tls_ca and tls_name in the settings of the carrier"
        return Finding(BAD, f"{name}: {place} shows a bad certificate: {error}", remedy)
    except OSError as error:
        remedy = "check smpp.host, smpp.port and smpp.password_file, and the way there"
        return Finding(BAD, f"{name}: {place} cannot be used: {error}", remedy)
    return Finding(GOOD, f"{name}: there is a way to {place} (SMPP)")


def reach(address: Address, transport: str) -> None:
    """Find a way to an address; by UDP nothing is sent. Raises OSError."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(family(address), kind) as way:
        way.settimeout(PATIENCE)
        way.connect((address.host, address.port))


def family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET


def about_store(chosen: Settings) -> Iterator[Finding]:
    """Whether the database can be reached, and used; one in a file is made by the first start."""
    from maskline import store

    assert chosen.store.url is not None
    url = chosen.store.url
    file = url.text.startswith("sqlite:")
    try:
        done = store.steps_done(url.text)
    except Exception as error:  # the library's own
        told = url.without_password(str(error).strip())
        remedy = "is it this user's file?" if file else "is it running, and store.url right?"
        yield Finding(BAD, f"{url}: {told}", remedy)
        return
    if done or not file:
        yield Finding(GOOD, f"the database {url} answers")
        yield from about_schema(done)


def about_schema(done: Mapping[int, str]) -> Iterator[Finding]:
    """Whether a database that ran these steps is one of this version."""
    from maskline.store import StoreUnusable, migrations

    try:
        wanting = migrations.pending(done)
    except StoreUnusable as error:
        remedy = "start the version that changed it, or restore a backup of before"
        yield Finding(BAD, str(error), remedy)
        return
    if done and wanting:
        told = f"the database is of an earlier version; steps to run: {len(wanting)}"
        remedy = "`maskline migrate` shows them; the next start of the service runs them"
        yield Finding(DOUBTFUL, told, remedy)


def about_ports(chosen: Settings) -> Iterator[Finding]:
    """Whether a service could listen where it is to listen; none is listening there now."""
    places: list[tuple[str, Address, socket.SocketKind]] = [
        ("api.listen", chosen.api.listen, socket.SOCK_STREAM)
    ]
    if chosen.health.listen:
        places.append(("health.listen", chosen.health.listen, socket.SOCK_STREAM))
    for listener in chosen.sip.listen:
        kind = socket.SOCK_DGRAM if listener.transport == "udp" else socket.SOCK_STREAM
        places.append(("sip.listen", listener.address, kind))
    for name, address, kind in places:
        with socket.socket(family(address), kind) as trial:
            if kind == socket.SOCK_STREAM:  # by datagrams, two could then have one address
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((address.host, address.port))
            except OSError as error:
                remedy = f"see with `ss -lntup` who has it, or change {name}"
                yield Finding(BAD, f"{address} cannot be listened on: {error.strerror}", remedy)
            else:
                transport = "udp" if kind == socket.SOCK_DGRAM else "tcp"
                yield Finding(GOOD, f"{address} ({transport}) is free for {name}")


# --- what the server says


def connect_without_key(globals_: Globals) -> Client:
    """A client for the server that the settings name, for questions that need no signature."""
    unsigned = globals_._replace(values={**globals_.values, "sign_request": False})
    return connect(unsigned, "chime")._replace(
        max_attempts=1, connect_timeout=PATIENCE, read_timeout=PATIENCE
    )


def ask_health(client: Client) -> tuple[Answer | None, list[Finding]]:
    try:
        answer = client.send(Request("GET", "/health", {}, b""))
    except Unreachable:
        remedy = "start it with `maskline serve`, or name it with --endpoint-url"
        return None, [Finding(BAD, f"no server answers at {client.endpoint}", remedy)]
    return answer, [Finding(GOOD, f"a server answers at {client.endpoint}")]


def about_engines(answer: Answer) -> Iterator[Finding]:
    try:
        engines = json.loads(answer.body)["engines"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        remedy = "is it another program's address? --endpoint-url names ours"
        yield Finding(BAD, "it does not answer like a Maskline server", remedy)
        return
    for engine, state in engines:
        if is_away(state):
            remedy = "its texts wait until it answers; the log of the service tells more"
            if engine.startswith("registration:"):
                remedy = "until it is there, the carrier may have no calls brought to us"
            yield Finding(DOUBTFUL, f"{engine} is {state}", remedy)
            continue
        remedy = "" if state == State.UP else "its last words are in the log of the service"
        yield Finding(GOOD if state == State.UP else BAD, f"{engine} is {state}", remedy)


def about_clock(answer: Answer) -> Iterator[Finding]:
    try:
        there = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return
    skew = abs((datetime.now(UTC) - there).total_seconds())
    if skew > MUCH_SKEW:
        remedy = "set both clocks by NTP; from 5 minutes on no request is accepted"
        yield Finding(BAD, f"the server's clock and this one are {skew:.0f} s apart", remedy)
    else:
        yield Finding(GOOD, "the server's clock agrees with this one")


def about_key(globals_: Globals) -> Iterator[Finding]:
    """Whether requests with the user's key are accepted, and what the store answers them."""
    admin = services.SERVICES["admin"]
    operation = services.operations_of(admin)["get-pool-report"]
    try:
        answer = services.perform(globals_, admin, operation, {})
    except Fault as fault:
        yield Finding(BAD, fault.headline(), fault.hint)
        return
    yield Finding(GOOD, "the access key is accepted, and the database answers")
    yield about_pool(answer.get("PoolReport", {}))


def about_pool(report: dict[str, Any]) -> Finding:
    numbers, wanting = report.get("Numbers", 0), report.get("NumbersToBuy", 0)
    if not numbers:
        remedy = "bring some in with `maskline admin import-phone-numbers`"
        if report.get("NumbersInNoPool"):
            remedy = "associate those that are there, or import them again with --shared"
        return Finding(DOUBTFUL, "there are no proxy numbers: no session can be created", remedy)
    used = f"{report.get('NumbersInUse', 0)} of {numbers} proxy numbers are in use"
    if wanting:
        remedy = (
            f"with {wanting} more, nobody would be refused a session for want of a number;"
            " `maskline admin get-pool-report` shows where"
        )
        return Finding(DOUBTFUL, used, remedy)
    return Finding(GOOD, used)


COMMAND = Command(
    "doctor",
    "looks for what is wrong, and says what to do",
    (
        "Looks at the settings, the data directory, the programs that carry calls, the carriers,"
        " the ports, the server, its engines, the clock, the access key, the database and the"
        " number pool, and says what to do about each thing that is not as it should be. Nothing"
        " is changed.",
        "The exit code is 0 when nothing is bad.",
    ),
    (
        Option(
            "config",
            "config",
            documentation="The settings file. Left out, maskline.toml in the current directory.",
        ),
    ),
    run,
)
