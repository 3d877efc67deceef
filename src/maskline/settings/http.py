"""The settings of carriers that texts are exchanged with over HTTP, and of pictures in texts."""

# ruff: noqa: RUF009 - `setting` makes a field, and every default is a frozen value

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maskline.settings.reader import Faults
from maskline.settings.setting import setting
from maskline.settings.values import Network, Secret, Url

AT_ONCE = "How many texts may wait for the provider's answer at once."
PER_SECOND = "How many texts a second the provider takes from this process."
NETWORKS = (
    "Networks that requests to the provider may go to although they are not public. Without them, "
    "private, loopback, link-local and reserved addresses are refused, whatever the name in a URL "
    "points to."
)


@dataclass(frozen=True, kw_only=True)
class CarrierTwilio:
    """Texts over Twilio's REST API, or over that of a provider which speaks it, too."""

    base_url: Url = setting(
        "Where the API is: what stands before /2010-04-01. Plain http needs allow_networks.",
        Url("https://api.twilio.com"),
    )
    account_sid: str = setting("The account.", example="AC00000000000000000000000000000000")
    auth_token: Secret | None = setting(
        "Its token, which also signs callbacks. Rather use auth_token_file.", None, example="token"
    )
    auth_token_file: Path | None = setting(
        "A file with the token in its first line, read at start. Callbacks may also be signed with "
        "a token of another line: put the next one there before you change it.",
        None,
        example="twilio-token",
    )
    messaging_service_sid: str | None = setting(
        "The messaging service that texts are sent by. The proxy numbers must be its senders.",
        None,
        example="MG00000000000000000000000000000000",
    )
    pictures: Literal["mms", "link"] = setting(
        "How pictures are sent: as MMS, or by a link in the text.", "mms"
    )
    allow_networks: tuple[Network, ...] = setting(NETWORKS, ())
    most_at_once: int = setting(AT_ONCE, 16, least=1, most=1_000)
    max_per_second: int = setting(PER_SECOND, 100, least=1, most=10_000)


@dataclass(frozen=True, kw_only=True)
class CarrierHttp:
    """Texts over an HTTP API that is described by data (docs/guides/texts-over-http.md)."""

    provider: str | None = setting(
        "The provider: bandwidth, sinch, telnyx or vonage, whose descriptions come with Maskline.",
        None,
        example="telnyx",
    )
    description: Path | None = setting(
        "A file of your own that describes another provider.", None, example="provider.toml"
    )
    values: dict[str, Secret] | None = setting(
        "What the description asks for: your account, its key.",
        None,
        example='{ api_key = "secret" }',
    )
    callback_secrets: tuple[Secret, ...] = setting(
        "What proves that a callback comes from the provider: the description says what it is. "
        "Each of them is good, so that they can be changed without a gap; requests are signed with "
        "the first, where the description says so. Rather use callback_secrets_file.",
        (),
    )
    callback_secrets_file: Path | None = setting(
        "A file with such secrets, one a line, read at start.", None, example="callback-secrets"
    )
    allow_networks: tuple[Network, ...] = setting(NETWORKS, ())
    most_at_once: int = setting(AT_ONCE, 16, least=1, most=1_000)
    max_per_second: int = setting(PER_SECOND, 100, least=1, most=10_000)


@dataclass(frozen=True)
class Pictures:
    """Pictures in texts (MMS). They are drawn anew and passed on by links below api.public_url."""

    keep_hours: int = setting(
        "How many hours such a link works; then the picture is erased.", 72, least=1, most=8_760
    )
    max_bytes: int = setting(
        "The largest file that is fetched from a provider or made of one, in bytes.",
        5_242_880,
        least=1_024,
        most=52_428_800,
    )
    notice: str = setting(
        "What is added to a text of which something could not be passed on: a file that is no "
        "picture, is too large or cannot be fetched.",
        "(An attachment could not be passed on.)",
    )


def check_twilio(twilio: CarrierTwilio, place: str, faults: Faults) -> None:
    if (twilio.auth_token is None) == (twilio.auth_token_file is None):
        faults.add(f"{place}.auth_token_file", "needed, or else auth_token, but not both")
    if not twilio.base_url.encrypted and not twilio.allow_networks:
        faults.add(f"{place}.base_url", f"{twilio.base_url} would send the token in the open")


def check_http(http: CarrierHttp, place: str, faults: Faults) -> None:
    if (http.provider is None) == (http.description is None):
        faults.add(f"{place}.provider", "needed, or else description, but not both")
    if http.callback_secrets and http.callback_secrets_file:
        faults.add(f"{place}.callback_secrets_file", "there are callback_secrets, too: which?")
