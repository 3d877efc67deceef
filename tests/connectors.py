"""A voice connector that can have sessions, as most tests want one."""

from typing import Any


def open_connector(client: Any, *, minutes: int = 60) -> str:
    """The id of a new connector whose sessions get numbers of the United States."""
    made = client.create_voice_connector(Name="c", RequireEncryption=False)
    connector: str = made["VoiceConnector"]["VoiceConnectorId"]
    client.put_voice_connector_proxy(
        VoiceConnectorId=connector,
        DefaultSessionExpiryMinutes=minutes,
        PhoneNumberPoolCountries=["US"],
    )
    return connector
