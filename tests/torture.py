"""The torture messages of RFC 4475 in Maskline's world: `tests/data/torture/messages.toml`."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("data") / "torture" / "messages.toml"
SDP = """v=0
o=secretuser 53655765 2353687637 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 17000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
"""
LONG = {"EXTREME": "extreme" * 30, "LONG": "long" * 30, "TWENTY": "really" * 20}


@dataclass(frozen=True)
class Torture:
    section: str
    name: str
    text: str
    udp: int | str
    tcp: int | str

    def message(self, phone: str, here: str, transport: str, call: str, **who: str) -> bytes:
        """The octets, with who and where filled in."""
        filled = self.text.replace("@SDP@", SDP)
        values = {"PHONE": phone, "HERE": here, "T": transport, "CALL": call, **LONG, **who}
        for name, value in values.items():
            filled = filled.replace(f"@{name}@", value)
        filled = re.sub(r"\\u00(..)", lambda code: chr(int(code[1], 16)), filled)
        octets = filled.replace("\n", "\r\n").encode("latin-1")
        _, _, body = octets.rpartition(b"\r\n\r\n") if b"@LENGTH@" in octets else (b"", b"", b"")
        if octets.count(b"\r\n\r\n") > 1 and b"multipart" in octets:
            body = octets.partition(b"\r\n\r\n")[2]
        return octets.replace(b"@LENGTH@", str(len(body)).encode())


def messages() -> list[Torture]:
    with FILE.open("rb") as file:
        read = tomllib.load(file)["message"]
    return [
        Torture(one["section"], one["name"], one["text"], one["udp"], one.get("tcp", one["udp"]))
        for one in read
    ]
