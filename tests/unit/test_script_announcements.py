"""An announcement ends with its caller's CANCEL, whenever that comes: no route runs then."""

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from maskline_sip import sdp, sip

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\n"
    b"m=audio 17000 RTP/AVP 8\r\n"
)
INVITE = sip.parse(
    b"INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n"
    b"Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
)
REFUSAL = {"Announcement": "a.wav", "CallId": "call", "SipStatus": 403}
MODULES = [f"maskline_sip.{name}" for name in ("tables", "announcements")]


class World:
    """Kamailio and a media engine, while whose sound is prepared the caller may hang up."""

    def __init__(self, *, hangs_up: bool) -> None:
        self.hangs_up, self.cancelled = hangs_up, 0
        self.heard: dict[str, str] = {}
        self.deleted: list[str] = []
        self.replied: list[int] = []
        self.pv = SimpleNamespace(get=lambda _: "c", sets=self.nothing)
        self.htable = SimpleNamespace(
            sht_sets=lambda _, name, value: self.heard.update({name: value}),
            sht_rm=lambda _, name: self.heard.pop(name, None),
        )
        self.tm = SimpleNamespace(
            t_set_fr=self.nothing, t_on_failure=self.nothing,
            t_is_canceled=lambda: self.cancelled,
            t_reply=lambda status, _: self.replied.append(status),
        )  # fmt: skip
        self.tmx = SimpleNamespace(t_suspend=lambda: 1)
        self.hdr = SimpleNamespace(append_to_reply=self.nothing)
        self.delete = self.deleted.append

    def nothing(self, *_: Any) -> None:
        pass

    def offer(self, *_: Any) -> sdp.Description:
        return sdp.read(OFFER)

    answer = offer

    def play(self, *_: Any) -> int:
        self.cancelled = int(self.hangs_up)
        return 1000


def announcements(monkeypatch: pytest.MonkeyPatch, world: World) -> Any:
    monkeypatch.setitem(sys.modules, "KSR", world)  # type: ignore[arg-type]
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    module: ModuleType = importlib.import_module("maskline_sip.announcements")
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    settings = SimpleNamespace(carriers={"acme": SimpleNamespace(srtp="off")})
    return module.Announcements(settings, SimpleNamespace(header=str), world)


@pytest.mark.parametrize("hangs_up", [False, True])
def test_who_hangs_up_as_it_begins_leaves_no_sound(
    monkeypatch: pytest.MonkeyPatch, *, hangs_up: bool
) -> None:
    world = World(hangs_up=hangs_up)
    told = announcements(monkeypatch, world)
    assert told.begin(INVITE, sdp.read(OFFER), REFUSAL, "acme", lambda: "192.0.2.1")
    assert world.deleted == (["call"] if hangs_up else [])
    assert world.replied == ([] if hangs_up else [183])
    assert bool(world.heard) is not hangs_up
