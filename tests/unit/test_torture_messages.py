"""The torture messages of RFC 4475, given to the mask's own parser without Kamailio before it."""

import pytest
import torture

from maskline_sip import gate, mask, sip

MESSAGES = {one.name: one for one in torture.messages()}
# What we refuse to read. All others are read, and none does harm.
REFUSED = {
    "badaspec", "badvers", "bigcode", "clerr", "insuf", "intmeth", "esc02", "lwsruri",
    "lwsstart", "mismatch01", "mismatch02", "multi01", "quotbal", "scalar02", "scalarlg", "trws",
}  # fmt: skip
KEYS = mask.Keyring({"a": bytes(range(64))}, "a")


def octets(name: str) -> bytes:
    who = {"NUMBER": "+19135550199", "CALLER": "+12065550100"}
    return MESSAGES[name].message("192.0.2.11:5060", "192.0.2.1:5060", "UDP", "c1", **who)


def test_there_is_every_message_of_the_rfc() -> None:
    assert len(MESSAGES) == 49
    assert len({one.section for one in MESSAGES.values()}) == 49


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_it_is_read_or_refused(name: str) -> None:
    try:
        message = sip.parse(octets(name))
    except sip.Malformed:
        assert name in REFUSED
        return
    assert name not in REFUSED
    if not message.is_reply:
        mask.dialog_passage(KEYS, message)
        sip.user(message.uri)


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_the_entrance_changes_nothing_but_spelling(name: str) -> None:
    raw = octets(name)
    entrance = gate.Entrance("5a17")
    try:
        came = entrance.unmark(entrance.mark(raw))
    except sip.Malformed:
        assert name == "insuf"
        return
    try:
        before = sip.parse(raw)
    except sip.Malformed:
        with pytest.raises(sip.Malformed):
            sip.parse(came)
        return
    assert sip.parse(came) == before
