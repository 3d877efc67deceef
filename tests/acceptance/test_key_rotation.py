"""Keys and certificates are changed while calls are under way: they go on with theirs, new ones get
the new. And what a look from outside tells of the engines: no old TLS, no privileges."""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.peers import header
from acceptance.plain_phone import Phone, connect, within
from acceptance.service import Service, free_port, running, until
from acceptance.test_leak import open_session
from authority import Authority


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("rotation")
    authority = Authority(folder)
    for name in ("new", "shown"):
        authority.issue(name, "127.0.0.1")
    files = f'[sip.tls]\ncertificate = "{folder}/shown.crt"\nkey = "{folder}/shown.key"'
    tls = f"tls:127.0.0.1:{free_port()}"
    password = folder / "password"
    password.write_text("secret")
    account = f'username = "us"\npassword_file = "{password}"\n'
    trusted = f'{account}[carriers.sip.tls]\nca = "{authority.ca}"'
    for service in running(folder, listen=(tls,), sip_settings=files, carrier_settings=trusted):
        open_session(service)
        yield service


def key_of(answer: str) -> str:
    return header(answer, "Contact").removeprefix("<sip:")[0]


def tls_port(service: Service) -> tuple[str, int]:
    return "127.0.0.1", int(service.listen[0].rpartition(":")[2])


def renew(service: Service) -> None:
    before = service.engine_pid("kamailio")
    service.process.send_signal(signal.SIGUSR2)
    until(lambda: service.engine_pid("kamailio") not in (0, before), 20)
    until(lambda: service.health()[0] == 200, 20)


def test_a_call_goes_on_when_the_key_changes(masked: Service) -> None:
    """And our certificate. What cannot be used changes nothing."""
    caller, called = Phone(masked), Phone(masked, masked.carrier_port)
    sent, _, answer = connect(caller, called)
    assert key_of(answer) == "a"
    kamailio, file = masked.engine_pid("kamailio"), masked.data / "mask.key"
    first = file.read_text()
    file.write_text(first[:20])
    masked.process.send_signal(signal.SIGUSR2)
    until(lambda: "not renewed" in masked.log)
    file.write_text(first)
    password = masked.folder / "password"
    password.rename(password.with_suffix(".away"))
    masked.process.send_signal(signal.SIGUSR2)
    until(lambda: "carriers.acme.sip.password_file" in masked.log)
    password.with_suffix(".away").rename(password)
    assert masked.engine_pid("kamailio") == kamailio
    keys = json.loads(first)
    keys["keys"]["b"] = base64.b64encode(os.urandom(64)).decode()
    file.write_text(json.dumps(keys | {"current_key": "b"}))
    shown = ssl.get_server_certificate(tls_port(masked))
    for kind in ("crt", "key"):
        shutil.copy(masked.folder / f"new.{kind}", masked.folder / f"shown.{kind}")
    renew(masked)
    assert ssl.get_server_certificate(tls_port(masked)) not in ("", shown)
    caller.send(within("BYE", sent, answer, caller, 2))
    bye = called.expect("BYE ")
    called.reply(bye, 200)
    assert caller.final() == 200
    assert key_of(connect(caller, called)[2]) == "b"
    for phone in (caller, called):
        phone.socket.close()


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(masked: Service, version: ssl.TLSVersion, taken: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # the library here would not even ask
    context.minimum_version = context.maximum_version = version
    assert handshake(context, tls_port(masked)) is taken


def handshake(context: ssl.SSLContext, place: tuple[str, int]) -> bool:
    with contextlib.closing(socket.create_connection(place, 5)) as plain:
        try:
            context.wrap_socket(plain, server_hostname=place[0]).close()
        except ssl.SSLError as error:
            if "ALERT_PROTOCOL_VERSION" in str(error):
                return False
            raise
    return True


def test_no_engine_has_or_can_get_a_privilege(masked: Service) -> None:
    """Read from the system itself, for every process of both."""
    engines = [
        pid
        for pid in masked.processes()
        if Path(f"/proc/{pid}/exe").resolve().name in ("kamailio", "rtpengine")
    ]
    assert len(engines) > 4
    for pid in engines:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        told = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert told["NoNewPrivs"] == "1"
        assert {int(told[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")} == {0}
        assert "0" not in told["Uid"].split()


def test_who_crashes_writes_down_nothing(masked: Service) -> None:
    """It would be numbers and keys."""
    for pid in (masked.pid, *masked.processes()):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search("^Max core file size +0 +0 ", limits, re.MULTILINE), limits
