"""The carriers of the settings that are spoken to by HTTP, made ready."""

import tomllib
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from maskline import settings
from maskline.settings import Carrier
from maskline.sms.http import description
from maskline.sms.http.carriers import BadCarrier, by_http, courier_of, link_of, provider_of
from maskline.sms.http.door import place_of
from maskline.sms.http.generic import Generic
from maskline.sms.http.twilio import Twilio
from maskline.sms.port import Media, Outgoing

PUBLIC = "https://sms.example.com"
TOKEN = "^twilio.auth_token_file: cannot use .*/"
TEXT = Outgoing(
    message_id="m", reference=1, source="+19135550199", destination="+14015550101", text="Hi",
    expires_at=0, media=(Media(url=f"{PUBLIC}/media/a", content_type="image/png"),),
)  # fmt: skip


def carrier(text: str, folder: Path = Path("/")) -> Carrier:
    head = f'[api]\npublic_url = "{PUBLIC}"\n[[carriers]]\nname = "tw"\n'
    (found,) = settings.anchored(settings.parse(tomllib.loads(head + text)), folder).carriers
    return found


def test_twilio_is_made_ready(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\nsecond\n")
    text = '[carriers.twilio]\naccount_sid = "AC1"\nauth_token_file = "token"\npictures = "link"\n'
    found = carrier(text + 'allow_networks = ["10.0.0.0/8"]', tmp_path)
    assert by_http(found)
    provider = provider_of(found, PUBLIC)
    assert isinstance(provider, Twilio)
    body = provider.request(TEXT, 0).body.decode()
    assert "carriers%2Ftw%2Fstatus" in body
    assert "MediaUrl" not in body
    assert "Hi%0Ahttps" in body
    assert courier_of(found).may_go_to("10.1.2.3")
    assert link_of(found, PUBLIC).carrier == "tw"


def test_callbacks_come_to_an_address_whatever_the_carrier_is_called() -> None:
    text = '[carriers.twilio]\naccount_sid = "AC1"\nauth_token = "secret"\n'
    provider = provider_of(replace(carrier(text), name="Ä & B 50%"), PUBLIC)
    told = dict(parse_qsl(provider.request(TEXT, 0).body.decode()))["StatusCallback"]
    address = urlsplit(told)
    assert told.isascii()
    assert " " not in told
    assert place_of(unquote(address.path)) == ("Ä & B 50%", "status")
    with pytest.raises(BadCarrier, match="no / may be in it"):
        provider_of(replace(carrier(text), name="a/b"), PUBLIC)


def test_a_described_provider_is_made_ready() -> None:
    text = '[carriers.http]\nprovider = "telnyx"\n[carriers.http.values]\napi_key = "k"\n'
    provider = provider_of(carrier(text), PUBLIC)
    assert isinstance(provider, Generic)
    assert provider.request(TEXT, 0).headers["Authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("provider", "secret", "words"),
    [
        ("telnyx", "KEY0123", "one is no public key of 32 bytes in base64"),
        ("telnyx", "c2hvcnQ=", "one is no public key of 32 bytes in base64"),
        ("telnyx", "A" * 43 + "=", ""),
        ("bandwidth", "password alone", "one is not user:password"),
        ("bandwidth", "user:password", ""),
        ("vonage", "anything", ""),
        ("sinch", "anything", ""),
    ],
)
def test_a_secret_that_can_prove_nothing_is_refused(provider: str, secret: str, words: str) -> None:
    values = ", ".join(f'{name} = "v"' for name in description.load(provider).values)
    found = carrier(
        f'[carriers.http]\nprovider = "{provider}"\nvalues = {{ {values} }}\n'
        f'callback_secrets = ["{secret}"]\n'
    )
    if words:
        with pytest.raises(BadCarrier, match=words):
            provider_of(found, PUBLIC)
    else:
        assert isinstance(provider_of(found, PUBLIC), Generic)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[carriers.http]\nprovider = "nobody"', "^http.provider: there is no 'nobody'"),
        ('[carriers.http]\nprovider = "telnyx"', r"api_key \(an API key\)"),
        ('[carriers.http]\nprovider = "telnyx"\nvalues = { api_key = "k", b = "c" }', "b: not"),
        ('[carriers.http]\ndescription = "none.toml"', "^http.description: .*none.toml: No such"),
        ('[carriers.twilio]\naccount_sid = "A"\nauth_token_file = "none"', TOKEN + "none: No such"),
        (
            '[carriers.twilio]\naccount_sid = "A"\nauth_token_file = "empty"',
            TOKEN + "empty: it holds",
        ),
    ],
)
def test_what_cannot_be_made_ready_is_named(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n \n")
    with pytest.raises(BadCarrier, match=words):
        link_of(carrier(text, tmp_path), PUBLIC)
