"""Peers that are odd and in their right, and others that many networks have all the same."""

from collections.abc import Iterator

import pytest
from acceptance.plain_phone import Phone, header
from acceptance.service import Service, running
from acceptance.test_carriers import acknowledged
from acceptance.test_leak import open_session

pytestmark = pytest.mark.xdist_group("odd-peers")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    for service in running(tmp_path_factory.mktemp("odd-peers")):
        open_session(service)
        yield service


@pytest.fixture
def caller(service: Service) -> Iterator[Phone]:
    phone = Phone(service)
    yield phone
    phone.socket.close()


@pytest.fixture
def called(service: Service) -> Iterator[Phone]:
    phone = Phone(service, service.carrier_port)
    yield phone
    phone.socket.close()


def untagged(called: Phone, request: str, status: int) -> None:
    """A reply of RFC 2543, whose To has no tag."""
    sent = called.reply_text(request, status)
    called.send(sent.replace(";tag=bobs", ""))


@pytest.mark.parametrize("tagged", [True, False])
def test_a_refusal_without_a_tag_is_told_once(caller: Phone, called: Phone, tagged: bool) -> None:
    """Whether its receiver repeats the tag that we put there or knows none."""
    sent = caller.invite()
    caller.send(sent)
    untagged(called, called.receive(), 486)
    assert caller.final() == 486
    refusal = caller.received[-1]
    assert ";tag=" in header(refusal, "To")
    if not tagged:
        refusal = refusal.replace(header(refusal, "To"), header(sent, "To"))
    caller.send(acknowledged(sent, refusal))
    assert caller.silent(1.5)
