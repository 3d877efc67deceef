"""The API over its own TLS: real clients, and a certificate that is renewed."""

import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from acceptance.service import Service, running, until
from authority import Authority, Pair
from botocore.exceptions import SSLError

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("api", "localhost", HOST)


@pytest.fixture(scope="module")
def service(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    yield from running(folder, role="api", sip_settings=pair.for_api)


def client(service: Service, ca: Path | None) -> Any:
    key, secret = service.credentials
    return boto3.client(
        "chime-sdk-voice",
        region_name="us-east-1",
        endpoint_url=https(service),
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        verify=str(ca) if ca else None,
    )


def https(service: Service) -> str:
    return f"https://{HOST}:{service.api_port}"


def serial(service: Service, ca: Path) -> object:
    """The number of the certificate that is shown to a new client."""
    context = ssl.create_default_context(cafile=str(ca))
    with (
        socket.create_connection((HOST, service.api_port), 10) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as tls,
    ):
        told = tls.getpeercert()
    assert told is not None
    return told["serialNumber"]


def ours(service: Service, *words: str) -> "subprocess.CompletedProcess[str]":
    """Our own command, in the directory where the service was started, with no settings."""
    environment = {
        name: text for name, text in service.environment.items() if not name.startswith("AWS_")
    }
    return subprocess.run(
        [sys.executable, "-m", "maskline", *words],
        cwd=service.folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_says_where_it_is(service: Service) -> None:
    assert f"AWS_ENDPOINT_URL={https(service)} " in service.output
    assert service.output.splitlines()[-1] == f"maskline ready: api {https(service)}"


def test_boto3_speaks_it_where_it_trusts_the_authority(service: Service, pair: Pair) -> None:
    voice = client(service, pair.ca)
    made = voice.create_voice_connector(Name="secure", RequireEncryption=False)["VoiceConnector"]
    assert made in voice.list_voice_connectors()["VoiceConnectors"]
    with pytest.raises(SSLError):
        client(service, None).list_voice_connectors()


def test_our_own_command_needs_no_settings_beside_it(service: Service) -> None:
    done = ours(service, "chime", "list-voice-connectors")
    assert done.returncode == 0, done.stderr


def test_another_certificate_than_that_beside_is_not_trusted(
    service: Service, pair: Pair, authority: Authority
) -> None:
    kept = pair.certificate.read_bytes()
    try:
        shutil.copy(authority.issue("other", HOST).certificate, pair.certificate)
        done = ours(service, "chime", "list-voice-connectors")
    finally:
        pair.certificate.write_bytes(kept)
    assert done.returncode == 255
    assert "SSL validation failed" in done.stderr
    assert "hint: it shows another certificate than maskline.toml names here" in done.stderr


def test_it_speaks_nothing_else(service: Service) -> None:
    assert service.health() == (0, {})


def test_a_new_certificate_is_read_when_told_so(
    service: Service, pair: Pair, authority: Authority
) -> None:
    """One that cannot be used is not, and connections that are there go on."""
    voice, before = client(service, pair.ca), serial(service, pair.ca)
    voice.list_voice_connectors()
    pair.key.write_text("no key")
    service.process.send_signal(signal.SIGUSR2)
    until(lambda: "not renewed" in service.log)
    assert "api.tls: cannot use" in service.log
    assert serial(service, pair.ca) == before
    authority.issue("api", "localhost", HOST)
    service.process.send_signal(signal.SIGUSR2)
    until(lambda: serial(service, pair.ca) != before)
    voice.list_voice_connectors()


def test_a_certificate_that_is_none_is_told_at_the_start(tmp_path: Path, pair: Pair) -> None:
    service = Service(tmp_path, role="api", sip_settings=pair.for_api.replace(".key", ".crt"))
    service.launch()
    assert service.process.wait(60) == 1
    assert "api.tls: cannot use" in service.log
