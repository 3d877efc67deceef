"""TLS: certificates that are known, unknown, or not looked at."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from contract.cli_cases import answers
from contract.cli_server import PlayedServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from maskline.__main__ import main

ASK = ["chime", "list-voice-connectors", "--query", "VoiceConnectors[0].Name"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody vouches for, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedServer]:
    played = PlayedServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    played.wrap(context)
    monkeypatch.setenv("AWS_ENDPOINT_URL", played.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with played.running():
        played.play(*answers(("connectors",)))
        yield played


def test_a_stranger_is_not_trusted(
    server: PlayedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(ASK) == 255
    err = capsys.readouterr().err
    assert f"SSL validation failed for {server.url}/voice-connectors" in err
    assert "hint: `--ca-bundle FILE`" in err
    assert server.seen == []


def test_a_bundle_vouches(
    server: PlayedServer,
    certificate: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main([*ASK, "--ca-bundle", str(certificate)]) == 0
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    assert main(ASK) == 0
    assert capsys.readouterr().out == '"demo"\n"demo"\n'


def test_nobody_looks(server: PlayedServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASK, "--no-verify-ssl"]) == 0
    assert main([*ASK, "--no-verify-ssl", "--ca-bundle", "nope.pem"]) == 0
    assert capsys.readouterr().out == '"demo"\n"demo"\n'


def test_a_bundle_that_is_none(server: PlayedServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASK, "--ca-bundle", "nope.pem"]) == 255
    assert "Could not read the CA bundle nope.pem" in capsys.readouterr().err
