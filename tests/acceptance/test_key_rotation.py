"""Keys are changed while calls are under way: they go on with theirs, new ones get the new."""

import base64
import json
import os
from collections.abc import Iterator

import pytest
from acceptance.plain_phone import Phone, connect, header, within
from acceptance.service import Service, running
from acceptance.test_leak import open_session

pytestmark = pytest.mark.xdist_group("rotation")


@pytest.fixture
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for service in running(tmp_path_factory.mktemp("rotation")):
        open_session(service)
        yield service


def key_of(answer: str) -> str:
    return header(answer, "Contact").removeprefix("<sip:")[0]


def test_a_call_goes_on_when_the_key_changes(masked: Service) -> None:
    caller, called = Phone(masked), Phone(masked, masked.carrier_port)
    sent, _, answer = connect(caller, called)
    assert key_of(answer) == "a"
    masked.kill()
    file = masked.data / "mask.key"
    keys = json.loads(file.read_text())
    keys["keys"]["b"] = base64.b64encode(os.urandom(64)).decode()
    file.write_text(json.dumps(keys | {"current_key": "b"}))
    masked.start()
    caller.send(within("BYE", sent, answer, caller, 2))
    bye = called.receive(8)
    assert bye.startswith("BYE ")
    called.reply(bye, 200)
    assert caller.final() == 200
    assert key_of(connect(caller, called)[2]) == "b"
    for phone in (caller, called):
        phone.socket.close()
