"""Nothing of one party in any byte that the other is sent. This test grows, it never shrinks."""

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from acceptance import leak_scenarios
from acceptance.phones import BOTH_HOSTS, CALLED_HOST, CALLER_HOST, Calls, capture, packets, play
from acceptance.service import Service, running
from connectors import open_connector
from secrets_told import encodings, lines_telling, search_for

PROXY_NUMBER = "+19135550199"
SCENARIOS = leak_scenarios.scenarios()
PHONE_NUMBERS = [
    number[1:].encode() for number in (leak_scenarios.CALLER_NUMBER, leak_scenarios.CALLED_NUMBER)
]


def marks(mark: str) -> tuple[bytes, ...]:
    """A side's mark, alone and in words that are long enough to be known in base32; and as a part
    of the print of a key."""
    words = (f"{mark}_{word}".encode() for word in ("TAG", "CID", "user", "name"))
    return (mark.encode(), mark.encode().hex(":").upper().encode(), *words)


# What must never arrive, by the address where it must not.
SECRETS = {
    CALLER_HOST: (*marks("SECB"), PHONE_NUMBERS[1], CALLED_HOST.encode()),
    CALLED_HOST: (*marks("SECA"), PHONE_NUMBERS[0], CALLER_HOST.encode()),
}


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("leak")
    hosts = {"carrier_host": CALLED_HOST, "sources": BOTH_HOSTS}
    for service in running(folder, log_level="debug", **hosts):
        open_session(service)
        yield service
    told = (b"SECA", b"SECB", *PHONE_NUMBERS, PROXY_NUMBER[1:].encode())
    assert lines_telling(service.log, told) == []


def open_session(service: Service) -> None:
    chime = service.client()
    connector_id = open_connector(chime)
    service.import_numbers("acme", PROXY_NUMBER)
    chime.create_proxy_session(
        VoiceConnectorId=connector_id,
        ParticipantPhoneNumbers=[leak_scenarios.CALLER_NUMBER, leak_scenarios.CALLED_NUMBER],
        Capabilities=["Voice", "SMS"],
    )


def leaks(
    received: list[tuple[str, bytes]], told: Mapping[str, tuple[bytes, ...]] = SECRETS
) -> Counter[tuple[str, bytes]]:
    patterns = {host: search_for(secrets) for host, secrets in told.items()}
    found: Counter[tuple[str, bytes]] = Counter()
    for host, payload in received:
        for line in payload.split(b"\r\n"):
            if host in patterns and patterns[host].search(line):
                found[host, line[:120]] += 1
    return found


def test_the_search_finds_what_it_looks_for() -> None:
    """A leak test that could not fail would prove nothing."""
    for host, secrets in SECRETS.items():
        for secret in secrets:
            for text in encodings(secret):
                assert leaks([(host, b"X: " + text + b"\r\n")]), text
    for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode, base64.b16encode):
        for text in (b"a SECA_CID1 b", b"sip:+12065550100@h", b"\xff 127.0.0.11:5060"):
            told = encode(text)
            assert leaks([(CALLED_HOST, b"x " + told)]), told
            assert encode is not base64.b32encode or leaks([(CALLED_HOST, told.lower())]), told


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_nothing_of_one_party_reaches_the_other(masked: Service, tmp_path: Path, name: str) -> None:
    files = [tmp_path / "caller.xml", tmp_path / "called.xml"]
    for file, text in zip(files, SCENARIOS[name], strict=True):
        file.write_text(text)
    tape = tmp_path / "capture.pcap"
    with capture(masked, tape):
        ended = play(
            masked, tmp_path, *files, PROXY_NUMBER, Calls(),
            "-cid_str", f"SECA_CID%u-%p@{CALLER_HOST}",
        )  # fmt: skip
    errors = "".join(file.read_text() for file in tmp_path.glob("*.errors"))
    assert ended == (0, 0), errors
    received = packets(tape)
    for host in SECRETS:
        assert sum(1 for to, payload in received if to == host and b"SIP/2.0" in payload) >= 2
    assert leaks(received) == Counter()
    places = sum(payload.count(b"\r\n") for to, payload in received if to in SECRETS)
    looked_for = sum(len(encodings(secret)) for told in SECRETS.values() for secret in told)
    print(f"{places} places hold none of {looked_for} texts that would tell of the other side")
