"""Put into a copy of Kamailio's script by a test: makes any one of its functions fail.

The file `fault`, beside the script's settings, names what fails: `module.function` or
`module.Class.method` raises, and with `=` and JSON behind it gives that back; `no NAME` takes a
route away, as a misspelt name in the configuration does; `KSR.tm.NAME` has the script name a route
that there is none of; `deaf KSR.MODULE.NAME` has Kamailio take nothing by that function, of
variables the one that is named behind it. While it says `record`, what a worker calls goes to the
file `called`, a line each; what failed goes to `failed`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import KSR

import maskline_sip
from maskline_sip.routes import Routes

FOLDER = Path(os.environ["MASKLINE_SIP_SETTINGS"]).parent
TEMPLATE = Path(maskline_sip.__file__).parents[1] / "kamailio.cfg.template"
CALLED_BY_KAMAILIO = set(re.findall(r'python_exec\("(\w+)"', TEMPLATE.read_text()))
NAMES_OF_ROUTES = ("t_on_reply", "t_on_failure")
HOLDING = ("KSR.tm", "KSR.pv", "KSR.hdr", "KSR.htable")
TAKING = (*NAMES_OF_ROUTES, "sets", "seti", "append", "append_to_reply", "sht_sets", "t_set_fr")
NOT_TAKEN = -1
# Python makes these of named tuples and data classes; a fault there would be Python's own.
OWN = ("__init__", "__call__")
told: set[tuple[str, str]] = set()


class Planted(Exception):
    """The fault that a test planted."""


def fault() -> str:
    try:
        return (FOLDER / "fault").read_text()
    except FileNotFoundError:
        return ""


def fails(name: str, planted: str = "") -> bool:
    """Whether it is to fail now; notes it, or that it is there."""
    planted = planted or fault()
    file = {name: "failed", "record": "called"}.get(planted)
    if file and (file, name) not in told:
        told.add((file, name))
        with (FOLDER / file).open("a") as notes:
            notes.write(name + "\n")
    return planted == name


def failing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*given: Any, **named: Any) -> Any:
        planted, _, given_back = fault().partition("=")
        if fails(name, planted):
            if given_back:
                return json.loads(given_back)
            raise Planted(name)
        return function(*given, **named)

    return wrapped


def wrap(owner: Any, name: str, prefix: str) -> None:
    found = vars(owner)[name]
    full = f"{prefix}.{name}"
    if isinstance(found, property):
        assert found.fget is not None
        setattr(owner, name, property(failing(full, found.fget)))
    elif isinstance(found, functools.cached_property):
        again = functools.cached_property(failing(full, found.func))
        again.__set_name__(owner, name)
        setattr(owner, name, again)
    elif isinstance(found, classmethod | staticmethod):
        return  # used while it starts
    elif callable(found) and not inspect.isclass(found):
        setattr(owner, name, failing(full, found))


class Elsewhere:
    """KSR for the script, which misnames a route when the test wants it, or takes nothing."""

    def __init__(self, real: Any, name: str = "KSR") -> None:
        self._real, self._name = real, name

    def __getattr__(self, attribute: str) -> Any:
        found, name = getattr(self._real, attribute), f"{self._name}.{attribute}"
        if name in HOLDING:
            return Elsewhere(found, name)
        if attribute in NAMES_OF_ROUTES and fails(name):
            return lambda _name: found("no-such-route")
        return taking_nothing(name, found) if attribute in TAKING else found


def taking_nothing(name: str, found: Callable[..., Any]) -> Callable[..., Any]:
    """A function of Kamailio's that says no more of it than by its number, as without memory."""

    def given(*what: Any) -> Any:
        variable = f" {what[0]}" if name.startswith("KSR.pv.") else ""
        return NOT_TAKEN if fails(f"deaf {name}{variable}") else found(*what)

    return given


def taken_away(self: Any, name: str) -> Any:
    if name in CALLED_BY_KAMAILIO and fails(f"no {name}"):
        raise AttributeError(name)
    return object.__getattribute__(self, name)


def install() -> None:
    """Wraps every function of the script, wherever it is known by its name."""
    modules = [
        importlib.import_module(f"maskline_sip.{one.name}")
        for one in pkgutil.iter_modules(maskline_sip.__path__)
        if one.name != "faults"
    ]
    for module in modules:
        own = [(n, o) for n, o in vars(module).items() if defined_in(module, o)]
        for name, found in own:
            if inspect.isclass(found):
                for method in [n for n in vars(found) if not n.startswith("__") or n in OWN]:
                    if not issubclass(found, BaseException) and not hasattr(found, "_fields"):
                        wrap(found, method, f"{module.__name__.partition('.')[2]}.{name}")
                continue
            wrap(module, name, module.__name__.partition(".")[2])
            for other in modules:
                if vars(other).get(name) is found:
                    setattr(other, name, vars(module)[name])
        if "KSR" in vars(module):
            module.KSR = Elsewhere(KSR)  # type: ignore[attr-defined]
    Routes.__getattribute__ = taken_away  # type: ignore[method-assign,assignment]


def defined_in(module: Any, found: Any) -> bool:
    return callable(found) and getattr(found, "__module__", "") == module.__name__
