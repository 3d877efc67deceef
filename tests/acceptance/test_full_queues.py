"""When too many texts wait, each carrier is told to come again, in its own words; and what it
brings again is taken: the limits of senders count nothing twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.service import until
from acceptance.smpp_stage import ANN, BEN, PROXY, served, until_states
from acceptance.text_stage import BY_SIP, BY_TWILIO, Stage, staged
from smsc import Manners, Smsc, Text
from waiting import until as until_true

pytestmark = pytest.mark.long

# A text that waits fills the queue, and a sender has no more in a minute than the tests send.
SMALL = "texts.max_queued = 1\ntexts.max_per_sender_minute = 2\n"
QUEUE_FULL = 0x14


async def test_an_smsc_brings_texts_and_long_ones_again(tmp_path: Path, store: str) -> None:
    smsc = Smsc(Manners(throttle=1.0))
    await smsc.start()
    first, second = (Text(ANN[1:], PROXY[1:], words) for words in (b"first", b"second"))
    parts = [
        Text(BEN[1:], PROXY[1:], bytes((5, 0, 3, 7, 2, number)) + words, 0x40)
        for number, words in ((1, b"back "), (2, b"again"))
    ]
    try:
        async with served(tmp_path, smsc.port, store + SMALL) as service:
            smsc.send(first)
            await until_true(lambda: first.answers == [0])
            for text in (second, *parts):
                smsc.send(text)
            await until_true(lambda: min(len(second.answers), len(parts[0].answers)) >= 5)
            smsc.manners.throttle = 0
            await until_true(lambda: smsc.delivered)
            await until_states(service, *["Delivered"] * 3)
            assert {one.octets for one in smsc.taken} == {b"first", b"second", b"back again"}
            # Of the long text the first part alone was put off.
            assert {*second.answers, *parts[0].answers} == {0, QUEUE_FULL}
            assert parts[1].answers == [0]
    finally:
        await smsc.stop()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    yield from staged(tmp_path_factory.mktemp("full"), SMALL)


def test_twilio_brings_a_text_again(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("tw", ann, ben)
    stage.twilio.answers += [(429, {"code": 20429}, {"Retry-After": "3"})]
    assert stage.by_twilio(ann, BY_TWILIO, "First", "SMfirst") == 200
    for _ in range(4):
        assert stage.by_twilio(ann, BY_TWILIO, "Second", "SMsecond") == 503
    until(lambda: stage.by_twilio(ann, BY_TWILIO, "Second", "SMsecond") == 200, 60)
    sent = until(
        lambda: len(f := [f for f in stage.twilio.sent if f["To"] == [ben]]) == 2 and f, 30
    )
    assert [fields["Body"][0] for fields in sent] == ["First", "Second"]
    until(lambda: nothing_waits(stage))


def nothing_waits(stage: Stage) -> bool:
    """Whether the carriers have all texts, so that the queue has room for another test's."""
    listed = stage.service.messages()
    return {each["State"] for each in listed} == {"Accepted"}


def test_a_trunk_brings_a_text_again(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("trunk", ann, ben)
    stage.trunk.answers += [503, 503, 503]
    assert stage.trunk.send(ann, BY_SIP, b"First", name="first") == 202
    for place in range(4):
        assert stage.trunk.send(ann, BY_SIP, b"Second", name=f"full{place}") == 503
    names = iter(range(1000))
    until(lambda: stage.trunk.send(ann, BY_SIP, b"Second", name=f"more{next(names)}") == 202, 60)
    taken = until(
        lambda: (
            (m := [m for m in stage.trunk.taken if ben.encode() in m[:60]])[-1:]
            and m[-1].endswith(b"\r\n\r\nSecond")
            and m
        ),
        30,
    )
    assert all(message.endswith(b"\r\n\r\nFirst") for message in taken[:-1])
    until(lambda: nothing_waits(stage))
