"""The part of the HTTP door that providers of texts call at, and that shows pictures."""

from collections.abc import Iterator

from maskline.clock import HOUR
from maskline.daemon.house import House
from maskline.engines.ground import GroundError
from maskline.settings import Settings
from maskline.sms.http.carriers import BadCarrier, by_http, courier_of, provider_of
from maskline.sms.http.door import Desk, Door
from maskline.sms.media import MediaIntake, PictureRules


def callback_door(house: House) -> Door | None:
    """The door, where anybody can find it; raises GroundError for a carrier that cannot be."""
    url = house.settings.api.public_url
    if url is None:
        return None
    intake = MediaIntake(house.store, house.context, picture_rules(house.settings))
    desks = list(desks_of(house.settings, str(url)))
    return Door(
        desks,
        house.relay,
        intake,
        house.store,
        house.context,
        str(url),
        house.settings.texts.max_queued,
    )


def desks_of(settings: Settings, url: str) -> Iterator[Desk]:
    for carrier in settings.carriers:
        if by_http(carrier):
            try:
                yield Desk(provider_of(carrier, url), courier_of(carrier))
            except (OSError, BadCarrier) as error:
                raise GroundError(f"carriers: {carrier.name}: {error}") from None


def picture_rules(settings: Settings) -> PictureRules:
    chosen = settings.pictures
    return PictureRules(
        public_url=str(settings.api.public_url),
        most_bytes=chosen.max_bytes,
        keep_milliseconds=chosen.keep_hours * HOUR,
        notice=chosen.notice,
    )
