"""A call that must be encrypted (`enforce_encryption`) is so from where it comes: its carrier's
address is not enough, for it can speak by other transports, too."""

import ssl
from pathlib import Path

from acceptance.carriers import masked
from acceptance.peers import SDP, Peer, reply
from acceptance.service import free_port, until
from acceptance.test_client_certificates import Encrypted
from authority import Authority

KEYED = SDP.replace("RTP/AVP", "RTP/SAVP") + (
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + "\r\n"
)


def accept(peer: Peer, request: str) -> list[str]:
    """What a carrier answers that encrypts its sound."""
    method = request.partition(" ")[0]
    if method == "ACK":
        return []
    return [reply(request, 200, peer.where, KEYED if method == "INVITE" else "")]


def test_a_call_in_the_open_is_refused_though_its_carrier_is_encrypted(tmp_path: Path) -> None:
    authority, port = Authority(tmp_path), free_port()
    us, them = authority.issue("us", "127.0.0.1"), authority.issue("them", "127.0.0.1")
    peer = Peer(accept, tls=them.server())
    with masked(
        tmp_path, peer, f'srtp = "required"\n[carriers.sip.tls]\nca = "{authority.ca}"',
        transport="tls", listen=(f"tls:127.0.0.1:{port}",),
        more_settings="enforce_encryption = true\n",
        sip_settings=us.for_sip,
    ) as (service, plain):  # fmt: skip
        chime = service.client()
        (connector,) = chime.list_voice_connectors()["VoiceConnectors"]
        chime.update_voice_connector(
            VoiceConnectorId=connector["VoiceConnectorId"], Name="c", RequireEncryption=True
        )
        secured = Encrypted(service, port, ssl.create_default_context(cafile=str(authority.ca)))
        plain.send(plain.invite(body=KEYED))
        assert plain.final() == 403
        until(lambda: service.newest_call().get("Reason") == "encryption-required")
        assert not peer.of("INVITE")
        secured.send(secured.invite(body=KEYED))
        secured.taken()
        secured.close()
    peer.close()
