"""Why a call was hung up: a BYE has a Reason for each protocol that tells one (RFC 3326 2), and
that of Q.850 need not be the first."""

import base64
import importlib
import pkgutil
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import maskline_sip
from maskline_sip import mask, sip

REASONS = ("SIP;cause=200", "Q.850;cause=31")
TOLD = ("ref", mask.CALLER, 31)
LEG = mask.Leg("ref", mask.CALLER, "c", "t", "<sip:o>", "<sip:p>", "sip:t")
PURE = ("addresses", "allowed", "mask", "refuse", "sip", "siv")
MODULES = {one.name for one in pkgutil.iter_modules(maskline_sip.__path__)} - {*PURE}


def imported(name: str, monkeypatch: pytest.MonkeyPatch, kamailio: Any) -> Any:
    """A module of the script, with a Kamailio of the test's."""
    monkeypatch.setitem(sys.modules, "KSR", kamailio)
    for one in MODULES:
        monkeypatch.delitem(sys.modules, f"maskline_sip.{one}", raising=False)
        monkeypatch.delattr(maskline_sip, one, raising=False)
    module = importlib.import_module(f"maskline_sip.{name}")
    for one in MODULES:
        sys.modules.pop(f"maskline_sip.{one}", None)
        vars(maskline_sip).pop(one, None)
    return module


def reports(module: Any, told: list[tuple[Any, ...]]) -> Any:
    """Those of the script, whose end of a call is noted: whose, by whom, and the cause."""
    switch = SimpleNamespace(
        report=lambda _, given: told.append((given["CallId"], given["EndedBy"], given.get("Cause")))
    )
    return module.Reports(None, switch)


def test_of_a_bye_that_kamailio_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = base64.b64encode(",".join(REASONS).encode()).decode()
    first = base64.b64encode(REASONS[0].encode()).decode()
    cells = {
        "$var(ended)": "ref caller 1",
        "$(hdr(Reason){s.encode.base64})": first,
        "$(hdr(Reason)[*]{s.encode.base64})": joined,
    }
    kamailio = SimpleNamespace(
        pv=SimpleNamespace(get=cells.get), hdr=SimpleNamespace(is_present=lambda _: 1), err=print
    )
    module, told = imported("routes", monkeypatch, kamailio), []  # type: ignore[var-annotated]
    routes = module.Routes.__new__(module.Routes)
    routes.reports = reports(module, told)
    routes.bodies = SimpleNamespace(media=SimpleNamespace(delete=lambda *_: None))
    assert routes.hung_up(None) == 1
    cells["$(hdr(Reason)[*]{s.encode.base64})"] = None  # more than Kamailio joins
    routes.hung_up(None)
    assert told == [TOLD, (*TOLD[:2], None)]


def test_of_a_bye_that_the_script_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    kamailio = SimpleNamespace(
        pv=SimpleNamespace(sets=lambda *_: None), htable=SimpleNamespace(sht_get=lambda *_: None)
    )
    module, told = imported("dialogs", monkeypatch, kamailio), []  # type: ignore[var-annotated]
    door = SimpleNamespace(header=lambda _: "")
    nothing = SimpleNamespace(send=lambda *_: None, clear=lambda _: None, end=lambda _: None)
    dialogs = module.Dialogs(
        None, door, nothing, nothing, reports(module, told), None, None, nothing, None
    )
    headers = [("Call-ID", "c"), ("CSeq", "2 BYE"), *(("Reason", one) for one in REASONS)]
    request = sip.parse(sip.write("BYE sip:x SIP/2.0", headers), strict=False)
    known = SimpleNamespace(passage=mask.Passage("a", LEG, LEG), asked=None)
    monkeypatch.setattr(module.mask, "ok_payload", lambda *_: b"")
    dialogs._hang_up(request, known, "acme")
    assert told == [TOLD]
