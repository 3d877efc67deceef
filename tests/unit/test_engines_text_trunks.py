"""Texts over a carrier's targets: which are tried, in what words, and when no more."""

import pytest

from maskline.domain.trunk import NumberFormat, Target, WayOut
from maskline.engines.control import Reply, SipText
from maskline.engines.text_trunks import TextTrunk, read

ONE, TWO, OTHER = (Target(f"192.0.2.{host}:5060", "udp") for host in (1, 2, 3))
WAYS = {
    "acme": WayOut(number_format=NumberFormat.NATIONAL, country="US"),
    "globex": WayOut(number_format=NumberFormat.E164_WITHOUT_PLUS),
}
SHOWN, CALLED = "+19135550199", "+14015550101"


class Stage:
    """Two targets of acme's, one of globex's; `answers` are what they say, by address."""

    def __init__(self, **answers: int | None) -> None:
        self.answers = [answers.get(name, 202) for name in ("one", "two", "other")]
        self.places: list[tuple[str, Target]] = [("acme", ONE), ("acme", TWO), ("globex", OTHER)]
        self.tried: list[tuple[Target, SipText]] = []
        self.suspected: list[tuple[str, str]] = []

    def order(self, names: object) -> list[tuple[str, Target]]:
        assert names == ["acme", "globex"]
        return self.places

    def suspect(self, name: str, address: str) -> None:
        self.suspected.append((name, address))

    async def send_text(self, target: Target, text: SipText) -> Reply | None:
        status = self.answers[len(self.tried)]
        self.tried.append((target, text))
        return Reply(status) if status else None

    async def send(self) -> Reply | None:
        trunk = TextTrunk(["acme", "globex"], self, self, WAYS)
        return await trunk.send(SHOWN, CALLED, "id", b"Hi")


async def test_the_first_target_that_answers_has_it() -> None:
    stage = Stage()
    assert await stage.send() == Reply(202)
    assert stage.tried == [(ONE, SipText("acme", "9135550199", "4015550101", "id", b"Hi"))]
    assert not stage.suspected


@pytest.mark.parametrize("trouble", [None, 408, 500, 502, 503, 504])
async def test_others_are_tried_in_their_own_words(trouble: int | None) -> None:
    stage = Stage(one=trouble, two=trouble)
    assert await stage.send() == Reply(202)
    assert [target for target, _ in stage.tried] == [ONE, TWO, OTHER]
    assert stage.tried[-1][1] == SipText("globex", SHOWN[1:], CALLED[1:], "id", b"Hi")
    assert stage.suspected == [("acme", ONE.address), ("acme", TWO.address)]


@pytest.mark.parametrize("status", [404, 415, 480, 486, 603])
async def test_what_is_said_of_the_text_is_the_last_word(status: int) -> None:
    stage = Stage(one=status)
    assert await stage.send() == Reply(status)
    assert len(stage.tried) == 1


async def test_the_last_answer_counts_where_all_fail() -> None:
    assert await Stage(one=None, two=503, other=500).send() == Reply(500)
    assert await Stage(one=503, two=503, other=None).send() is None


async def test_without_a_place_it_is_for_later() -> None:
    stage = Stage()
    stage.places = []
    assert await stage.send() == Reply(503)
    assert not TextTrunk(["acme", "globex"], stage, stage, WAYS).usable


def test_texts_are_read_as_their_carrier_writes_numbers() -> None:
    request = {"CarrierName": "acme", "Caller": "4015550101", "Called": "9135550199", "Text": "x"}
    assert read(request, WAYS) == request | {"Caller": CALLED, "Called": SHOWN}
    assert read(request | {"CarrierName": "globex"}, WAYS)["Caller"] == "4015550101"
