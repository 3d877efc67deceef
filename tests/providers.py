"""The providers whose descriptions come with us, and callbacks with the proofs that they send."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maskline.sms.http.description import load
from maskline.sms.http.generic import Generic
from maskline.sms.http.provider import MESSAGES, Callback
from maskline.sms.port import Media, Outgoing

NOW = 1_790_000_000_000
SECRET = "a secret of forty characters, more or less"
CALLBACKS = "https://sms.example.com/carriers/gen"
ANN, BEN, PROXY = "+12065550100", "+14015550101", "+19135550199"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()

TEXT = Outgoing(
    message_id="0b5c",
    reference=513,
    source=PROXY,
    destination=BEN,
    text='He said "{hello}"\n\\ 😀',
    expires_at=NOW + 3_600_000,
)
PICTURES = (Media(url="https://sms.example.com/media/a", content_type="image/png"),)
PICTURED = Outgoing(
    message_id="0b5c", reference=513, source=PROXY, destination=BEN, text="See",
    expires_at=NOW + 3_600_000, media=PICTURES,
)  # fmt: skip

VALUES = {
    "telnyx": {"api_key": "KEY1"},
    "bandwidth": {"account_id": "99", "application_id": "app", "user": "u", "password": "p"},
    "sinch": {"region": "eu", "service_plan_id": "plan", "api_token": "tok"},
    "vonage": {"api_key": "ak", "api_secret": "as"},
}
SECRETS = {"telnyx": PUBLIC_KEY, "bandwidth": "cb:word"}


def provider(name: str) -> Generic:
    return Generic(
        "gen",
        load(name),
        values=VALUES[name],
        secrets=("an old one", SECRETS.get(name, SECRET)),
        callbacks=CALLBACKS,
    )


def proof(name: str, body: bytes, stamp: int = NOW // 1000) -> dict[str, str]:
    """What the provider puts into the headers of a callback."""
    if name == "telnyx":
        signed = KEY.sign(f"{stamp}|".encode() + body)
        return {
            "telnyx-timestamp": str(stamp),
            "telnyx-signature-ed25519": base64.b64encode(signed).decode(),
        }
    if name == "bandwidth":
        return {"authorization": "Basic " + base64.b64encode(b"cb:word").decode()}
    if name == "sinch":
        text = body + f".n0nce.{stamp}".encode()
        code = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
        return {
            "x-sinch-webhook-signature-timestamp": str(stamp),
            "x-sinch-webhook-signature-nonce": "n0nce",
            "x-sinch-webhook-signature": base64.b64encode(code).decode(),
        }
    claims = {"iat": stamp, "payload_hash": hashlib.sha256(body).hexdigest(), "iss": "Vonage"}
    return {"authorization": "Bearer " + jwt.encode(claims, SECRET, "HS256")}


def callback(name: str, content: Any, kind: str = MESSAGES, **more: Any) -> Callback:
    body = json.dumps(content).encode()
    headers = {"content-type": "application/json", **proof(name, body)}
    given = {"received_at": NOW, "headers": headers, "body": body} | more
    return Callback(kind=kind, method="POST", url=f"{CALLBACKS}/{kind}", query="", **given)
