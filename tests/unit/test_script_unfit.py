"""Final replies that cannot be passed on: who asked is answered by us, and who answered is told."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fake_kamailio import loaded

from maskline_sip import kept, mask, sdp

LEG = mask.Leg("ref", mask.CALLER, "c", "t", "<sip:o>", "<sip:p>", "sip:t")
ASKED = mask.Asked(("SIP/2.0/UDP h",), "<sip:a>", "<sip:b>", (), "192.0.2.1", "1 INVITE")
CALL = kept.Kept(mask.Passage("a", LEG, LEG._replace(tag="")), ASKED, "INVITE", offered=True)
ANSWER = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\n"
    b"Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
)


class World:
    """Kamailio with a reply at hand, and what stands around the script; `done` is what was done."""

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {"$rs": 200}
        self.done: list[tuple[Any, ...]] = []
        self.over = False
        self.pv = SimpleNamespace(get=self.cells.get, seti=self.cells.__setitem__)
        self.tm = SimpleNamespace(t_reply=self.note("replied"))
        self.err = self.note("logged")

    def note(self, name: str) -> Any:
        return lambda *told, **more: self.done.append((name, *told, *more.values()))

    def move_back(self, passage: mask.Passage) -> None:
        self.done.append(("moved back", passage.near.reference))

    def is_over(self) -> bool:
        return self.over

    def carrier(self) -> str:
        return "acme"

    def strays(self, reply: Any, _known: kept.Kept) -> None:
        self.done.append(("dismissed", reply.status))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def unfit(world: World, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = loaded("unfit", world)
    monkeypatch.setattr(module, "ringing", SimpleNamespace(end=world.note("rings no more")))
    return module


def unfit_of(module: ModuleType, world: World) -> Any:
    bodies = SimpleNamespace(end_of=world.note("no sound"), move_back=world.move_back)
    reports = SimpleNamespace(ended=world.note("ended"))
    strays, ways = SimpleNamespace(answered=world.strays), SimpleNamespace(back=lambda *_: None)
    return module.Unfit(bodies, reports, world, strays, ways)


def at_hand(world: World, module: ModuleType, known: kept.Kept | None, status: int = 200) -> Any:
    world.cells |= {"$rs": status, module.CONTEXT: known.text() if known else None}
    return unfit_of(module, world)


@pytest.mark.parametrize(("fault", "status"), [(sdp.Unacceptable("x"), 488), (KeyError("x"), 500)])
def test_a_call_whose_answer_cannot_be_passed_on_is_over_for_both(
    unfit: ModuleType, world: World, fault: Exception, status: int
) -> None:
    settled = at_hand(world, unfit, CALL)
    assert not settled.settled()
    settled.settle(ANSWER, fault)
    reasons = {488: "Not Acceptable Here", 500: "Server Internal Error"}
    assert world.done == [
        ("replied", status, reasons[status]), ("rings no more", "ref"), ("no sound", "ref"),
        ("ended", "ref", "us", status, "acme"), ("dismissed", 200),
    ]  # fmt: skip
    assert settled.settled()
    world.done.clear()
    settled.settle(ANSWER, fault)
    assert world.done == []
    settled.repeated(ANSWER)
    assert world.done == [("dismissed", 200)]


@pytest.mark.parametrize("status", [200, 299, 300, 486])
def test_a_request_within_a_call_is_answered_and_the_call_goes_on(
    unfit: ModuleType, world: World, status: int
) -> None:
    within = CALL._replace(passage=mask.Passage("a", LEG, LEG))
    for known in (within, CALL._replace(method="UPDATE"), None):
        world.cells.pop(unfit.SETTLED, None)
        world.done.clear()
        at_hand(world, unfit, known, status).settle(ANSWER, KeyError("x"))
        back = [("moved back", "ref")] if known else []
        assert world.done == [("replied", 500, "Server Internal Error"), *back]
        world.done.clear()
        unfit_of(unfit, world).repeated(ANSWER)
        assert world.done == []


@pytest.mark.parametrize("status", [300, 486, 699])
def test_a_refusal_that_cannot_be_passed_on_is_noted_for_who_answers_it(
    unfit: ModuleType, world: World, status: int
) -> None:
    assert not unfit.unread()
    at_hand(world, unfit, CALL, status).settle(ANSWER, KeyError("x"))
    assert world.done == []
    assert unfit.unread()


def test_what_changes_nothing_ends_no_call(unfit: ModuleType, world: World) -> None:
    at_hand(world, unfit, CALL, 199).settle(ANSWER, KeyError("x"))
    at_hand(world, unfit, CALL._replace(answered="t9")).settle(ANSWER, KeyError("x"))
    world.over = True
    at_hand(world, unfit, CALL).settle(ANSWER, KeyError("x"))
    assert world.done == []
    assert not unfit.unread()


@pytest.mark.parametrize(("status", "told"), [(200, 1), (299, 1), (300, 0), (199, 0)])
def test_who_answered_alone_is_told(
    unfit: ModuleType, world: World, status: int, told: int
) -> None:
    at_hand(world, unfit, CALL).repeated(ANSWER.replace(b"200", str(status).encode()))
    assert world.done == [("dismissed", status)] * told


def test_whoever_cannot_be_read_cannot_be_told(unfit: ModuleType, world: World) -> None:
    at_hand(world, unfit, CALL).repeated(b"SECRET")
    assert world.done == [("logged", "not to be hung up: Malformed\n")]
