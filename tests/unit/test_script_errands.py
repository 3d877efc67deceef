"""How long a registration holds, as the script reads it from the registrar's reply."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

from maskline_sip import settings, sip

OURS = "sip:4015550100@192.0.2.1:5060"
MODULES = ("tables", "challenges", "errands", "gate", "ways")


@pytest.fixture
def errands(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "KSR", SimpleNamespace())  # type: ignore[arg-type]
    names = [f"maskline_sip.{name}" for name in MODULES]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("maskline_sip.errands")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return module


def granted(errands: ModuleType, *lines: str) -> str:
    head = (
        "SIP/2.0 200 OK", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:a@h>;tag=1",
        "To: <sip:a@h>;tag=2", "Call-ID: x", "CSeq: 1 REGISTER", *lines, "Content-Length: 0",
    )  # fmt: skip
    reply = sip.parse("\r\n".join((*head, "", "")).encode("latin-1"))
    text: str = errands.granted(reply, OURS)
    return text


ANOTHER = "<sip:pbx@198.51.100.7:5060>;expires=3540"
BESIDE_IT = "<sip:4015550100@198.51.100.7:5060>;expires=7200"


@pytest.mark.parametrize(
    "ours",
    [
        "<sip:4015550100@192.0.2.1:5060>;expires=600",
        "sip:4015550100@192.0.2.1:5060;q=0.5;EXPIRES = 600",
        '"a;expires=1" <sip:4015550100@192.0.2.1;expires=7>;expires=600',
    ],
)
def test_our_binding_is_found_among_others(errands: ModuleType, ours: str) -> None:
    assert granted(errands, f"Contact: {ANOTHER}", f"Contact: {BESIDE_IT}, {ours}") == "600"


def test_of_others_bindings_none_is_followed(errands: ModuleType) -> None:
    """Nor of anything that is no number: the Expires of the whole reply is, if there is one."""
    others = f"Contact: {ANOTHER}, {BESIDE_IT}"
    assert granted(errands, others, "Expires: 300") == "300"
    assert granted(errands, others) == ""
    for seconds in ("\xb2", "", "-1", "4294967295"):
        assert granted(errands, f"Contact: <{OURS}>;expires={seconds}", "Expires: 300") == "300"
        assert granted(errands, f"Contact: <{OURS}>", f"Expires: {seconds}") == ""


def test_the_only_binding_is_ours_whatever_was_made_of_it(errands: ModuleType) -> None:
    assert granted(errands, "Contact: <sip:4015550100@10.0.0.1:1024>;expires=60") == "60"


def test_a_user_name_is_written_as_a_uri_has_it(errands: ModuleType) -> None:
    """Some are addresses themselves. Calls to the Contact are known by it again."""
    name = "zoë@acme.example".encode().decode("latin-1")
    written = errands.user(SimpleNamespace(username=name))
    assert written == "zo%C3%AB%40acme.example"
    assert sip.user(f"sip:{written}@192.0.2.1") == name
    assert errands.user(SimpleNamespace(username="+4015550100")) == "+4015550100"
    assert errands.user(SimpleNamespace(username=None)) == ""


def test_what_sip_reads_as_octets_is_held_so() -> None:
    carrier = {"username": "zoë", "password": None, "name": "zoë"}
    assert settings.value_of(carrier, "username") == "zo\xc3\xab"
    assert settings.value_of(carrier, "password") is None
    assert settings.value_of(carrier, "name") == "zoë"
