"""The proxy configuration of a voice connector: how proxy sessions are made on it."""

from typing import Any

from maskline.domain import e164
from maskline.domain.connector import ProxyConfiguration
from maskline.domain.refusals import BadRequest, InvalidPhoneNumber, NotFound
from maskline.operations.connectors import require_connector
from maskline.operations.context import Answer, Context, Request
from maskline.operations.numbering import require_dialable
from maskline.store import rows


def put_voice_connector_proxy(context: Context, request: Request) -> Answer:
    """Replaces the configuration. Sessions that run already are not touched.

    Sessions are opened by what stands when they are, so a change waits for those being opened.
    Some clients put what is there already before every session: that waits for nobody.
    """
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    wanted = wanted_configuration(context, request)
    if wanted != find_configuration(context, connector_id):
        context.tx.lock(connector_id)
        context.tx.run(
            "put_proxy_configuration",
            voice_connector_id=connector_id,
            default_expiry_minutes=wanted.default_expiry_minutes,
            disabled=wanted.disabled,
            fallback_number=wanted.fallback_number,
            countries=",".join(wanted.countries),
        )
    return {"Proxy": shown(wanted)}


def wanted_configuration(context: Context, request: Request) -> ProxyConfiguration:
    fallback = request.get("FallBackPhoneNumber")
    return ProxyConfiguration(
        default_expiry_minutes=require_expiry(context, request["DefaultSessionExpiryMinutes"]),
        disabled=request.get("Disabled") or False,
        fallback_number=require_outside_number(context, fallback) if fallback else None,
        countries=tuple(dict.fromkeys(request["PhoneNumberPoolCountries"])),
    )


def get_voice_connector_proxy(context: Context, request: Request) -> Answer:
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    return {"Proxy": shown(require_configuration(context, connector_id))}


def delete_voice_connector_proxy(context: Context, request: Request) -> Answer:
    """Stops new sessions; those that run already go on. Deleting what is not there is no error."""
    connector_id = request["VoiceConnectorId"]
    require_connector(context, connector_id)
    context.tx.run("delete_proxy_configuration", voice_connector_id=connector_id)
    return {}


def find_configuration(context: Context, connector_id: str) -> ProxyConfiguration | None:
    row = context.tx.one("get_proxy_configuration", voice_connector_id=connector_id)
    return rows.proxy_configuration(row) if row else None


def require_configuration(context: Context, connector_id: str) -> ProxyConfiguration:
    configuration = find_configuration(context, connector_id)
    if configuration is None:
        raise no_configuration(connector_id)
    return configuration


def no_configuration(connector_id: str) -> NotFound:
    return NotFound(
        f"VoiceConnector with Id '{connector_id}' has no proxy configuration;"
        " PutVoiceConnectorProxy gives it one"
    )


def require_expiry(context: Context, minutes: int) -> int:
    longest = context.policy.max_session_minutes
    if not 1 <= minutes <= longest:
        raise BadRequest(f"A proxy session can last from 1 to {longest} minutes, not {minutes}")
    return minutes


def require_outside_number(context: Context, text: str) -> str:
    """A number that we may dial for somebody, as far as the account may know."""
    number, _ = require_outside_numbers(context, text, text)
    return number


def require_outside_numbers(context: Context, first: str, second: str) -> tuple[str, str]:
    """As `require_outside_number`, for two at once. Whose else's numbers are in the inventory no
    answer tells; that what is in it is never dialled is seen to when somebody calls."""
    numbers = require_allowed(context, first), require_allowed(context, second)
    own = context.tx.one(
        "find_phone_number", first=numbers[0], second=numbers[1], account_id=context.account_id
    )
    if own is not None:
        raise BadRequest(f"{e164.redact(own['phone_number'])} is a proxy phone number itself")
    return numbers


def require_allowed(context: Context, text: str) -> str:
    """A number that may be dialled, and that the operator has not barred."""
    number = require_dialable(text)
    if number.startswith(context.policy.barred_prefixes or ("-",)):
        raise InvalidPhoneNumber(f"{e164.redact(number)} is barred by the settings of the service")
    return number


def shown(configuration: ProxyConfiguration) -> dict[str, Any]:
    return {
        "DefaultSessionExpiryMinutes": configuration.default_expiry_minutes,
        "Disabled": configuration.disabled,
        "FallBackPhoneNumber": configuration.fallback_number,
        "PhoneNumberCountries": list(configuration.countries),
    }
