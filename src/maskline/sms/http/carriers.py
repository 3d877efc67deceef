"""The carriers of the settings that are spoken to by HTTP, made ready to speak."""

import ipaddress
from pathlib import Path
from urllib.parse import quote

from maskline.courier import Courier
from maskline.settings import Carrier, CarrierHttp, CarrierTwilio, Secret
from maskline.sms.http import description
from maskline.sms.http.description import BadDescription
from maskline.sms.http.door import CARRIERS
from maskline.sms.http.generic import Generic
from maskline.sms.http.link import HttpLink
from maskline.sms.http.provider import Provider
from maskline.sms.http.signatures import fault_of_secret
from maskline.sms.http.twilio import Account, Twilio


class BadCarrier(Exception):
    """A carrier whose settings cannot be used; the text says why."""


def by_http(carrier: Carrier) -> bool:
    return carrier.twilio is not None or carrier.http is not None


def provider_of(carrier: Carrier, public_url: str) -> Provider:
    """The carrier's API; raises BadCarrier, also for a file that cannot be read."""
    if "/" in carrier.name:
        raise BadCarrier("its name stands in the addresses of callbacks, so no / may be in it")
    callbacks = f"{public_url}{CARRIERS}{quote(carrier.name)}"
    try:
        if carrier.twilio is not None:
            return Twilio(carrier.name, account_of(carrier.twilio), callbacks)
        assert carrier.http is not None
        return generic_of(carrier.name, carrier.http, callbacks)
    except (OSError, UnicodeDecodeError, BadDescription) as error:
        raise BadCarrier(str(error)) from None


def account_of(twilio: CarrierTwilio) -> Account:
    return Account(
        base_url=str(twilio.base_url),
        account_sid=twilio.account_sid,
        auth_tokens=secrets_of(
            (twilio.auth_token,), twilio.auth_token_file, "twilio.auth_token_file"
        ),
        messaging_service_sid=twilio.messaging_service_sid,
        mms=twilio.pictures == "mms",
    )


def generic_of(name: str, http: CarrierHttp, callbacks: str) -> Generic:
    rules = description.load(http.provider or str(http.description))
    given = {key: secret.text for key, secret in (http.values or {}).items()}
    if missing := rules.values.keys() - given.keys():
        wanted = ", ".join(f"{key} ({rules.values[key]})" for key in sorted(missing))
        raise BadDescription(f"http.values: missing: {wanted}")
    if unknown := given.keys() - rules.values.keys():
        raise BadDescription(f"http.values: {', '.join(sorted(unknown))}: not asked for")
    secrets: tuple[str, ...] = ()
    if http.callback_secrets or http.callback_secrets_file:
        secrets = secrets_of(
            http.callback_secrets, http.callback_secrets_file, "http.callback_secrets_file"
        )
    for secret in secrets:
        if rules.signature and (fault := fault_of_secret(rules.signature, secret)):
            raise BadDescription(f"http.callback_secrets: one {fault}")
    return Generic(name, rules, values=given, secrets=secrets, callbacks=callbacks)


def secrets_of(
    given: tuple[Secret | None, ...], file: Path | None, setting: str
) -> tuple[str, ...]:
    """The secrets that were given, or those in a file that `setting` names, one a line; raises
    BadDescription."""
    told = f"{setting}: cannot use {file}"
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines() if file else []
    except OSError as error:
        raise BadDescription(f"{told}: {error.strerror}") from None
    except UnicodeDecodeError:  # which holds what was read
        raise BadDescription(f"{told}: it is no text in UTF-8") from None
    found = [secret.text for secret in given if secret] + [line.strip() for line in lines]
    if not any(found):
        raise BadDescription(f"{told}: it holds no secret")
    return tuple(filter(None, found))


def courier_of(carrier: Carrier) -> Courier:
    """What carries requests to the carrier."""
    chosen = carrier.twilio or carrier.http
    assert chosen is not None
    return Courier(ipaddress.ip_network(str(network)) for network in chosen.allow_networks)


def link_of(carrier: Carrier, public_url: str) -> HttpLink:
    """The carrier's link for texts that go out; raises BadCarrier."""
    chosen = carrier.twilio or carrier.http
    assert chosen is not None
    return HttpLink(
        provider_of(carrier, public_url),
        courier_of(carrier),
        most_at_once=chosen.most_at_once,
        per_second=float(chosen.max_per_second),
    )
