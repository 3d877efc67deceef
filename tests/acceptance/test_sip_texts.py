"""Texts as SIP MESSAGE with SIPp at both ends, over UDP and over TCP."""

from functools import partial
from pathlib import Path

import pytest
from acceptance.phones import BOTH_HOSTS, CALLED_HOST, SCENARIOS, Calls, play
from acceptance.service import Service, running, until
from acceptance.test_leak import PROXY_NUMBER, open_session

ANN = "+12065550100"
SENT, TAKEN = SCENARIOS / "message-sent.xml", SCENARIOS / "message-taken.xml"


@pytest.mark.parametrize(
    ("transport", "words"),
    [("udp", "Grüße"), ("tcp", "Grüße " * 240)],  # more than fits a packet
    ids=["udp", "tcp-long"],
)
def test_a_text_goes_from_sipp_to_sipp(tmp_path: Path, transport: str, words: str) -> None:
    choices = {
        "transport": transport,
        "carrier_host": CALLED_HOST,
        "sources": BOTH_HOSTS,
        "carrier_settings": "messages = true",
    }
    for service in running(tmp_path, **choices):
        open_session(service)
        keys = ["-key", "caller", ANN, "-key", "words", words]
        keys += ["-t", "t1"] if transport == "tcp" else []
        played = play(service, tmp_path, SENT, TAKEN, PROXY_NUMBER, Calls(), *keys)
        errors = "".join(file.read_text() for file in tmp_path.glob("*.errors"))
        assert played == (0, 0), errors
        until(partial(accepted, service))


def accepted(service: Service) -> bool:
    listed = service.messages()
    return [each["State"] for each in listed] == ["Accepted"]
