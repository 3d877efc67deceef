"""The settings of the service: one TOML file, read once at start, refused by name where wrong."""

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from maskline.domain.connector import longest_rest
from maskline.settings import http, sip_checks, smpp
from maskline.settings.document import default_file
from maskline.settings.http import CarrierHttp, CarrierTwilio, Pictures
from maskline.settings.lines import not_toml, with_line
from maskline.settings.reader import Faults, is_table, leaves, read
from maskline.settings.schema import Carrier, Media, Settings
from maskline.settings.sip import CarrierSip, CarrierTarget, CarrierTls, Sip
from maskline.settings.smpp import CarrierSmpp
from maskline.settings.values import (
    Address,
    Endpoint,
    Host,
    Listener,
    Network,
    Origin,
    PortRange,
    Secret,
    Source,
    StoreUrl,
    Url,
)

__all__ = [
    "Address",
    "Carrier",
    "CarrierHttp",
    "CarrierSip",
    "CarrierSmpp",
    "CarrierTarget",
    "CarrierTls",
    "CarrierTwilio",
    "Endpoint",
    "Host",
    "Listener",
    "Network",
    "Origin",
    "Pictures",
    "PortRange",
    "Secret",
    "Settings",
    "SettingsError",
    "Source",
    "StoreUrl",
    "Url",
    "load",
    "parse",
    "write_default",
]

UNPRIVILEGED = 1024  # the first port that an ordinary user may take


class SettingsError(Exception):
    """The settings file cannot be used; its text names every key at fault, a line for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(path: Path) -> Settings:
    """The settings in the file at `path`, relative paths resolved against its directory.

    Raises SettingsError for what is wrong in it, OSError when it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with the mark
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([not_toml(error)]) from None
    try:
        return anchored(parse(table), path.resolve().parent)
    except SettingsError as error:
        raise SettingsError([with_line(text, fault) for fault in error.faults]) from None


def parse(table: dict[str, Any]) -> Settings:
    """The settings that a TOML document describes; raises SettingsError."""
    faults = Faults(name for name, _, _ in leaves(Settings))
    settings = read(Settings, table, faults)
    if settings is not None:
        check_together(settings, faults)
    if faults:
        raise SettingsError(faults)
    assert isinstance(settings, Settings)
    return settings


def check_together(settings: Settings, faults: Faults) -> None:
    """What no setting can say alone."""
    sip_checks.check(settings.sip, faults)
    faults.check_pair("api.tls", "", settings.api.tls.certificate, settings.api.tls.key)
    sip_checks.check_prefixes(settings.barred_prefixes, "barred_prefixes", faults)
    check_media(settings.media, settings.sip, faults)
    longest = longest_rest(settings.closed_session_retention_days)
    if settings.number_rest_minutes > longest:
        told = f"at most {longest}, as long as closed_session_retention_days keeps sessions"
        faults.add("number_rest_minutes", told)
    names = [carrier.name for carrier in settings.carriers]
    for place, name in enumerate(names):
        if name in names[:place]:
            faults.add(f"carriers[{place}].name", f"{name!r} is the name of another carrier")
    for place, carrier in enumerate(settings.carriers):
        check_carrier(carrier, f"carriers[{place}]", settings, faults)


def check_media(media: Media, sip: Sip, faults: Faults) -> None:
    """Sound has addresses that it can be sent to, and its ports for itself: a packet of SIP or of
    the control protocol that came to a port of a call's sound would go to a phone."""
    if media.ports.first < UNPRIVILEGED:
        faults.add("media.ports", f"{media.ports}: those below {UNPRIVILEGED} are root's alone")
    if media.address.wildcard:
        faults.add("media.address", f"{media.address} names no address to send sound to")
    second = media.second_address
    if second is not None and second.version == media.address.version:
        faults.add("media.second_address", f"{second} is of the same version of IP as the first")
    doors = {f"{one} of sip.listen": one.address for one in sip.listen if one.transport == "udp"}
    if media.control is not None:
        if media.control in doors.values():
            faults.add("media.control", f"{media.control} is also an address of sip.listen")
        doors[f"{media.control} of media.control"] = media.control
    hosts = {host.text for host in media.addresses}
    for name, door in doors.items():
        if door.port in media.ports and (door.host in hosts or Host(door.host).wildcard):
            faults.add("media.ports", f"{media.ports}: {name} is among them")


def check_carrier(carrier: Carrier, place: str, settings: Settings, faults: Faults) -> None:
    """It carries something, and texts by one way alone."""
    ways = carrier.ways_of_texts
    if carrier.sip is None and not ways:
        faults.add(place, "has none of sip, smpp, twilio and http, so it carries nothing")
    if len(ways) > 1:
        faults.add(place, f"carries texts by {' and by '.join(ways)}: choose one")
    if carrier.sip is not None:
        sip_checks.check_trunk(carrier.sip, settings.sip, f"{place}.sip", faults)
        sip_checks.check_others(carrier.name, carrier.sip, settings.trunks, f"{place}.sip", faults)
    if carrier.smpp is not None:
        smpp.check(carrier.smpp, f"{place}.smpp", faults)
    if carrier.twilio is not None:
        http.check_twilio(carrier.twilio, f"{place}.twilio", faults)
    if carrier.http is not None:
        http.check_http(carrier.http, f"{place}.http", faults)
    if (carrier.twilio or carrier.http) and settings.api.public_url is None:
        faults.add("api.public_url", f"missing; {place} sends its texts to it")


def anchored(settings: Settings, directory: Path) -> Settings:
    """The same settings with every path absolute."""
    settings = with_paths(settings, directory)
    url = settings.store.url or StoreUrl(f"sqlite:{settings.data_dir / 'maskline.db'}")
    if url.path:
        url = StoreUrl(f"sqlite:{(directory / url.path).resolve()}")
    key = settings.store.key or settings.data_dir / "store.key"
    keys = settings.sip.mask_keys or settings.data_dir / "mask.key"
    return replace(
        settings,
        store=replace(settings.store, url=url, key=key),
        sip=replace(settings.sip, mask_keys=keys),
    )


def with_paths(value: Any, directory: Path) -> Any:
    """A value of the settings in which every path begins at the root."""
    if isinstance(value, Path):
        return (directory / value).resolve()
    if isinstance(value, tuple):
        return tuple(with_paths(item, directory) for item in value)
    if is_table(type(value)):
        changed = {
            one.name: with_paths(getattr(value, one.name), directory) for one in fields(value)
        }
        return replace(value, **changed)
    return value


def write_default(path: Path) -> None:
    """Writes the default settings file; raises FileExistsError rather than overwrite one."""
    with path.open("x", encoding="utf-8") as file:
        file.write(default_file())
