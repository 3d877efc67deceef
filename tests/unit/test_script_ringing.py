"""Calls that ring, as the script notes them for the control plane."""

from types import ModuleType, SimpleNamespace

import pytest
from fake_kamailio import loaded

from maskline_sip import sip

CALL, REFERENCE = "aaaaaaaa-1111", "aaaaaaaa-1111~bbbbbbbb"
INVITE = sip.parse(
    b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
    b"To: <sip:b@h>\r\nCall-ID: theirs\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n"
)


class Kamailio:
    """Its table of calls that ring, and whether it finds their transactions."""

    def __init__(self) -> None:
        self.cells: dict[str, str] = {}
        self.found, self.asked = True, list[tuple[str, str, str]]()

    def sht_sets(self, _table: str, name: str, value: str) -> None:
        self.cells[name] = value

    def sht_get(self, _table: str, name: str) -> str | None:
        return self.cells.get(name)

    def sht_rm(self, _table: str, name: str) -> None:
        self.cells.pop(name, None)

    def t_cancel_callid(self, call_id: str, number: str, _flag: int) -> int:
        self.asked.append(("cancel", call_id, number))
        if self.found:
            self.cells.clear()  # the phone stops at once
        return 1 if self.found else -1

    def t_reply_callid(self, call_id: str, number: str, _status: int, _reason: str) -> int:
        self.asked.append(("reply", call_id, number))
        return 1 if self.found else -1


@pytest.fixture
def kamailio() -> Kamailio:
    return Kamailio()


@pytest.fixture
def ringing(kamailio: Kamailio) -> ModuleType:
    at_hand = SimpleNamespace(get=lambda _: "ours")
    return loaded("ringing", SimpleNamespace(htable=kamailio, tmx=kamailio, pv=at_hand))


def test_a_call_is_known_by_its_id_and_tells_where_its_sound_is(
    ringing: ModuleType, kamailio: Kamailio
) -> None:
    ringing.begin(REFERENCE, INVITE)
    assert ringing.rings(CALL)
    assert ringing.refuse(CALL) == REFERENCE
    assert kamailio.asked == [("reply", "ours", "7")]
    assert not ringing.rings(CALL)
    assert ringing.refuse(CALL) == ""


def test_a_call_that_stops_ringing_at_once_is_not_noted_again(ringing: ModuleType) -> None:
    ringing.begin(REFERENCE, INVITE)
    assert ringing.cancel(CALL)
    assert not ringing.rings(CALL)


def test_what_kamailio_does_not_find_rings_no_more(ringing: ModuleType, kamailio: Kamailio) -> None:
    ringing.begin(REFERENCE, INVITE)
    kamailio.found = False
    assert not ringing.cancel(CALL)
    assert not ringing.rings(CALL)
    assert not ringing.overdue(CALL)


def test_a_call_that_is_answered_as_it_is_given_up_rings_no_more(
    ringing: ModuleType, kamailio: Kamailio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker has its answer between what this one reads and what it writes."""
    ringing.begin(REFERENCE, INVITE)
    put = kamailio.sht_sets

    def overtaken(table: str, name: str, value: str) -> None:
        ringing.end(REFERENCE)
        put(table, name, value)

    monkeypatch.setattr(kamailio, "sht_sets", overtaken)
    monkeypatch.setattr(kamailio, "t_cancel_callid", lambda *_: 1)  # it is there for a while yet
    ringing.cancel(CALL)
    ringing.leave(REFERENCE)
    assert not ringing.rings(CALL)
    assert not ringing.overdue(CALL)
    assert not ringing.left(REFERENCE)
