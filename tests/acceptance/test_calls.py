"""Calls through the whole service: real Kamailio, real rtpengine, SIPp as the phones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from acceptance.phones import BOTH_HOSTS, CALLED_HOST, SCENARIOS, Calls, play
from acceptance.service import Service, running, until
from acceptance.test_leak import open_session
from connectors import open_connector

ALICE, BOB, FALLBACK = "+12065550100", "+14015550101", "+18005550199"
PROXY_NUMBER, OTHERS_NUMBER = "+19135550199", "+19135550142"
CALLER, CALLED, REFUSED = (
    SCENARIOS / f"{name}.xml" for name in ("caller", "called", "caller-refused")
)


@pytest.fixture(scope="module")
def telephony(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("calls")
    for service in running(folder, carrier_host=CALLED_HOST, sources=BOTH_HOSTS):
        service.import_numbers("acme", PROXY_NUMBER)
        yield service


@pytest.fixture
def connector(telephony: Service) -> str:
    return open_connector(telephony.client())


@pytest.fixture
def session(telephony: Service, connector: str) -> Iterator[dict[str, Any]]:
    chime = telephony.client()
    found = chime.create_proxy_session(
        VoiceConnectorId=connector,
        ParticipantPhoneNumbers=[ALICE, BOB],
        Capabilities=["Voice", "SMS"],
    )["ProxySession"]
    yield found
    chime.delete_proxy_session(VoiceConnectorId=connector, ProxySessionId=found["ProxySessionId"])


def get(service: Service, session: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = service.client().get_proxy_session(
        VoiceConnectorId=session["VoiceConnectorId"], ProxySessionId=session["ProxySessionId"]
    )["ProxySession"]
    return found


def records(service: Service, session: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked = {"proxy-session-id": session["ProxySessionId"]}
    while True:
        page = service.ask("GET", "/admin/calls", **asked)
        found += page["Calls"]
        if "NextToken" not in page:
            return found
        asked["next-token"] = page["NextToken"]


def ended(service: Service, session: dict[str, Any]) -> list[dict[str, Any]]:
    return [record for record in records(service, session) if "EndedTimestamp" in record]


def stamp(record: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(record[f"{name}Timestamp"])


def call_and_be_refused(
    service: Service, folder: Path, status: int, caller: str, number: str = PROXY_NUMBER
) -> None:
    """A call that must be answered with `status`, and nothing else."""
    scenario = folder / "refused.xml"
    scenario.write_text(REFUSED.read_text().replace("STATUS", str(status)))
    played = play(service, folder, scenario, None, number, Calls(), "-key", "caller", caller)
    assert played == (0, None), (folder / "caller.errors").read_text()


def test_another_accounts_number_looks_like_one_that_nobody_has(
    telephony: Service, connector: str, tmp_path: Path
) -> None:
    """It is never dialled: nobody waits for a call at the carrier."""
    tenant = telephony.maskline("admin", "create-account", "--name", "tenant")["Account"]
    session = telephony.client().create_proxy_session(
        VoiceConnectorId=connector,
        ParticipantPhoneNumbers=[ALICE, OTHERS_NUMBER],
        Capabilities=["Voice"],
    )["ProxySession"]
    imported = telephony.maskline(
        "admin", "import-phone-numbers", "--carrier-name", "acme",
        "--account-id", tenant["AccountId"], "--e164-phone-numbers", OTHERS_NUMBER,
    )  # fmt: skip
    assert imported == {"PhoneNumberErrors": []}
    call_and_be_refused(telephony, tmp_path, 404, ALICE)
    (record,) = until(lambda: ended(telephony, session))
    assert (record["Decision"], record["SipStatus"]) == ("Connect", 404)
    assert (record["EndedBy"], record["Cause"]) == ("carrier", 1)
    telephony.client().delete_proxy_session(
        VoiceConnectorId=connector, ProxySessionId=session["ProxySessionId"]
    )


def test_a_call_leaves_a_complete_record(
    telephony: Service, session: dict[str, Any], tmp_path: Path
) -> None:
    with ThreadPoolExecutor() as threads:
        calling = threads.submit(
            play, telephony, tmp_path, CALLER, CALLED, PROXY_NUMBER,
            Calls(talk_milliseconds=3000), "-key", "caller", ALICE,
        )  # fmt: skip
        until(lambda: get(telephony, session)["Status"] == "InProgress")
        assert calling.result() == (0, 0)
    until(lambda: get(telephony, session)["Status"] == "Open")
    (record,) = records(telephony, session)
    times = ["Received", "Forwarded", "Ringing", "Answered", "Ended"]
    assert all(stamp(record, a) <= stamp(record, b) for a, b in pairwise(times))
    assert record["EndedBy"] == "caller"
    assert record["SipStatus"] == 200
    assert record["Cause"] == 16
    assert record["CallerPhoneNumber"] == ALICE
    assert record["CalledPhoneNumber"] == BOB
    assert record["ShownPhoneNumber"] == PROXY_NUMBER


def test_the_other_participant_can_call_too(
    telephony: Service, session: dict[str, Any], tmp_path: Path
) -> None:
    played = play(telephony, tmp_path, CALLER, CALLED, PROXY_NUMBER, None, "-key", "caller", BOB)
    assert played == (0, 0)
    (record,) = until(lambda: ended(telephony, session))
    assert record["CalledPhoneNumber"] == ALICE


@pytest.mark.parametrize("ends", ["caller", "us"])
def test_a_call_goes_out_over_tcp(tmp_path: Path, ends: str) -> None:
    """The caller's leg is UDP, the called party's TCP; both can be hung up."""
    choices = {"transport": "tcp", "carrier_host": CALLED_HOST, "sources": BOTH_HOSTS}
    for service in running(tmp_path, **choices):
        open_session(service)
        scenario = CALLER if ends == "caller" else SCENARIOS / "caller-hung-up.xml"
        with ThreadPoolExecutor() as threads:
            calling = threads.submit(
                play, service, tmp_path, scenario, CALLED, PROXY_NUMBER, None,
                "-key", "caller", ALICE,
            )  # fmt: skip
            if ends == "us":
                end_all_sessions_once_answered(service)
            assert calling.result() == (0, 0), (tmp_path / "called.errors").read_text()


def end_all_sessions_once_answered(service: Service) -> None:
    until(lambda: "AnsweredTimestamp" in str(service.calls()))
    service.close_sessions()


def test_200_calls_at_20_a_second(
    telephony: Service, session: dict[str, Any], tmp_path: Path
) -> None:
    load = Calls(number=200, per_second=20, seconds=120)
    played = play(telephony, tmp_path, CALLER, CALLED, PROXY_NUMBER, load, "-key", "caller", ALICE)
    assert played == (0, 0), (tmp_path / "caller.errors").read_text()
    for record in until(lambda: len(found := ended(telephony, session)) == 200 and found):
        for time in ("Received", "Forwarded", "Ringing", "Answered", "Ended"):
            assert f"{time}Timestamp" in record
        assert (record["EndedBy"], record["SipStatus"]) == ("caller", 200)
    assert "engine says" not in telephony.log  # a call as it should be is nothing to complain of


def test_an_unknown_caller_is_refused(
    telephony: Service, session: dict[str, Any], tmp_path: Path
) -> None:
    call_and_be_refused(telephony, tmp_path, 404, "+12065550177")


def test_an_anonymous_caller_is_refused(
    telephony: Service, session: dict[str, Any], tmp_path: Path
) -> None:
    call_and_be_refused(telephony, tmp_path, 433, "anonymous")


def test_a_number_that_is_not_ours_is_refused(
    telephony: Service, session: dict[str, Any], tmp_path: Path
) -> None:
    call_and_be_refused(telephony, tmp_path, 404, ALICE, "+19135550111")


def test_a_session_without_voice_is_refused(
    telephony: Service, session: dict[str, Any], tmp_path: Path
) -> None:
    telephony.client().update_proxy_session(
        VoiceConnectorId=session["VoiceConnectorId"],
        ProxySessionId=session["ProxySessionId"],
        Capabilities=["SMS"],
    )
    call_and_be_refused(telephony, tmp_path, 403, ALICE)


def test_nobody_answers_at_the_carrier(
    telephony: Service, session: dict[str, Any], tmp_path: Path
) -> None:
    """No carrier is up: the caller is told to try later, in the time tm waits for a reply."""
    call_and_be_refused(telephony, tmp_path, 503, ALICE)
    (record,) = until(lambda: ended(telephony, session))
    assert (record["EndedBy"], record["SipStatus"]) == ("carrier", 503)


def test_an_ended_session_leads_to_the_fallback_number(
    telephony: Service, connector: str, tmp_path: Path
) -> None:
    chime = telephony.client()
    over = chime.create_proxy_session(
        VoiceConnectorId=connector, ParticipantPhoneNumbers=[ALICE, BOB], Capabilities=["Voice"]
    )["ProxySession"]
    chime.delete_proxy_session(VoiceConnectorId=connector, ProxySessionId=over["ProxySessionId"])
    call_and_be_refused(telephony, tmp_path, 404, ALICE)
    chime.put_voice_connector_proxy(
        VoiceConnectorId=connector,
        DefaultSessionExpiryMinutes=60,
        PhoneNumberPoolCountries=["US"],
        FallBackPhoneNumber=FALLBACK,
    )
    tried = play(telephony, tmp_path, CALLER, CALLED, PROXY_NUMBER, None, "-key", "caller", ALICE)
    assert tried == (0, 0)
    until(lambda: telephony.newest_call().get("CalledPhoneNumber") == FALLBACK)
    assert telephony.newest_call()["ShownPhoneNumber"] == PROXY_NUMBER


def test_deleting_a_session_hangs_up_both_parties(
    telephony: Service, connector: str, tmp_path: Path
) -> None:
    chime = telephony.client()
    session = chime.create_proxy_session(
        VoiceConnectorId=connector, ParticipantPhoneNumbers=[ALICE, BOB], Capabilities=["Voice"]
    )["ProxySession"]
    hung_up = SCENARIOS / "caller-hung-up.xml"
    with ThreadPoolExecutor() as threads:
        calling = threads.submit(
            play, telephony, tmp_path, hung_up, CALLED, PROXY_NUMBER,
            Calls(number=5), "-key", "caller", ALICE,
        )  # fmt: skip
        until(lambda: answered(telephony, session) == 5)
        chime.delete_proxy_session(
            VoiceConnectorId=connector, ProxySessionId=session["ProxySessionId"]
        )
        assert calling.result() == (0, 0)
    for record in until(lambda: len(found := ended(telephony, session)) == 5 and found):
        assert (record["EndedBy"], record["Cause"]) == ("us", 16)


def answered(service: Service, session: dict[str, Any]) -> int:
    return sum("AnsweredTimestamp" in record for record in records(service, session))


def test_a_stranger_gets_silence(telephony: Service, session: dict[str, Any]) -> None:
    import socket

    host, port = telephony.sip.split(":")
    for method in ("OPTIONS", "INVITE", "REGISTER"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.99", 0))
            stranger.settimeout(0.5)
            text = (
                f"{method} sip:{PROXY_NUMBER}@{host} SIP/2.0\r\n"
                "Via: SIP/2.0/UDP 127.0.0.99;branch=z9hG4bKscan\r\n"
                f"From: <sip:{ALICE}@x>;tag=1\r\nTo: <sip:{PROXY_NUMBER}@x>\r\n"
                f"Call-ID: scan\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
            )
            stranger.sendto(text.encode(), (host, int(port)))
            with pytest.raises(TimeoutError):
                stranger.recv(4096)
