"""SIPp scenarios in which each phone marks every place of every message that it sends.

Marks of the caller begin with SECA, those of the called with SECB; beside them stand the real
numbers and the real addresses. None of one side's may ever be received by the other.
"""

from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

CALLER_NUMBER, CALLED_NUMBER = "+12065550100", "+14015550101"

# Milliseconds between two messages that two of Kamailio's workers may have in hand at once: SIPp
# wants them in order, which a busy machine does not keep.
GAP = 200
PRIVATE_HEADERS = (
    "User-Agent", "Server", "Organization", "Subject", "Date", "Call-Info", "Alert-Info",
    "Error-Info", "Warning", "Timestamp", "In-Reply-To", "Priority", "Content-Language",
    "Content-Disposition", "MIME-Version", "Accept-Language", "Authorization",
    "Proxy-Authorization", "Authentication-Info", "P-Access-Network-Info", "P-Charging-Vector",
    "P-Called-Party-ID", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info",
    "Geolocation", "Identity", "Privacy", "Reason", "Session-ID", "X-Custom", "X-Maskline",
    "Path", "Service-Route", "Feature-Caps", "Resource-Priority", "User-to-User", "Referred-By",
    "Reply-To", "Accept-Contact", "Recv-Info", "Contact-Info", "Event", "Allow-Events",
)  # fmt: skip

# Said by browsers alone: a scenario with all of it is more than SIPp reads.
MORE_HEADERS = (
    "Geolocation-Routing", "Geolocation-Error", "Replaces", "Join", "Target-Dialog", "Answer-Mode",
    "Attestation-Info", "Origination-Id", "Relayed-Charge", "Cellular-Network-Info", "Restoration",
    "P-Asserted-Service", "P-Early-Media", "P-Served-User", "P-Visited-Network-ID", "P-Charge-Info",
    "P-Associated-URI", "Permission-Missing", "Info-Package", "Security-Client", "SIP-ETag", "UUI",
    "X-Forwarded-For",
)  # fmt: skip

SDP = """v=0
o={m}_user 53655765 2353687637 IN IP4 [local_ip]
s={m}_session
i={m}_info
u=http://{m}.example/
e={m}@example.com
p={number}
c=IN IP4 [media_ip]
b=CT:4711
b=X-{m}:1
t=0 0
a=tool:{m}_tool
a=X-{m}:1
a=group:BUNDLE {m}
m=audio [media_port] RTP/AVP 8 97 101
i={m}_title
b=AS:64
k=clear:{m}_key
a=rtpmap:8 PCMA/8000
a=rtpmap:97 {m}codec/8000
a=fmtp:97 {m}=1
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=mid:{m}
a=label:{m}
a=ssrc:1234 cname:{m}@[local_ip]
a=rtcp:9 IN IP4 [local_ip]
a=candidate:1 1 UDP 1 [local_ip] 9 typ host
a=ice-ufrag:{m}ice
a=fingerprint:sha-256 {m}
a={mode}
m=video 0 RTP/AVP 99
a=rtpmap:99 {m}/90000
"""

# What a browser says beside: the same sound once more, by ICE and DTLS-SRTP. It is for a carrier of
# browsers alone; here it is refused.
BROWSERS = """a=rtcp-fb:* {m}
a=extmap:1 urn:{m}
a=msid:{m} {m}_track
a=ice-options:{m}
m=audio [media_port] UDP/TLS/RTP/SAVPF 8
a=mid:{m}
a=ssrc:1234 msid:{m} {m}_track
a=rtcp-xr:{m}
a=ice-ufrag:{m}ice
a=ice-pwd:{m}{m}{m}{m}{m}{m}
a=fingerprint:sha-256 {print}
a=setup:actpass
a=rtcp-mux
a=candidate:1 1 udp 1 {m}.local 9 typ host generation 0
a=candidate:{m} 1 UDP 1 [local_ip] 9 typ host
a=candidate:2 1 UDP 1 [local_ip] 9 typ srflx raddr [local_ip] rport 9
a=remote-candidates:1 [local_ip] 9
a=source-filter: incl IN IP4 * [local_ip]
a=tls-id:{m}
a=identity:{m}
a=cname:{m}@[local_ip]
a=zrtp-hash:{m}
a=lang:{m}
a=cat:{m}
a=keywds:{m}
a=path:msrp://[local_ip]:9/{m};tcp
"""


@dataclass
class Phone:
    """One side: what it marks, and its scenario so far."""

    mark: str
    number: str
    side: str
    steps: list[str] = field(default_factory=list)
    cseq: int = 1
    tagless: bool = True  # whether the dialog has no To tag yet
    timed: bool = False  # whether it speaks of a session timer (RFC 4028)
    browser: bool = False  # whether it offers its sound as browsers do, too

    def headers(self, status: int = 0) -> str:
        m = self.mark
        names = PRIVATE_HEADERS + MORE_HEADERS * self.browser
        lines = [f"{name}: {m}_{name.replace('-', '_')} {self.number} [local_ip]" for name in names]
        lines += [
            f'P-Asserted-Identity: "{m}_pai" <sip:{self.number}@[local_ip]>',
            f"Record-Route: <sip:[local_ip]:[local_port];lr;{m}=rr>",
            f'Contact: "{m}_contact" <sip:{m}_user{self.number}@[local_ip]:[local_port]'
            f";x={m}>;y={m}",
        ]
        if self.timed:
            lines += ["Supported: timer", f"Session-Expires: 90;{m}=1;refresher=uac"]
            lines += ["Require: timer"] if status else [f"Min-SE: 90;{m}=1"]
        if status in (401, 407):
            lines.append(f'WWW-Authenticate: Digest realm="{m}", nonce="{m}"')
            lines.append(f'Proxy-Authenticate: Digest realm="{m}", nonce="{m}"')
        return "\n".join(lines)

    def body(self, kind: str, mode: str = "sendrecv") -> str:
        if kind == "sdp":
            text = SDP.format(m=self.mark, number=self.number, mode=mode)
            if self.browser:
                keys = (self.mark.encode().hex(":").upper() + ":") * 8
                text += BROWSERS.format(m=self.mark, print=keys[:-1])
            return f"Content-Type: application/sdp;{self.mark}=1\nContent-Length: [len]\n\n{text}"
        if kind == "dtmf":
            text = "Signal=5\nDuration=160\n"
            return f"Content-Type: application/dtmf-relay\nContent-Length: [len]\n\n{text}"
        if kind == "other":
            text = f"{self.mark}_text {self.number} [local_ip]\n"
            return f"Content-Type: text/plain\nContent-Length: [len]\n\n{text}"
        return "Content-Length: 0\n\n"

    def own_address(self) -> str:
        return f'"{self.mark}_name" <sip:{self.number}@[local_ip];u={self.mark}>'

    def send(self, text: str, retransmit: bool = False) -> None:
        again = ' retrans="500"' if retransmit else ""
        self.steps.append(f"<send{again}><![CDATA[\n{text}\n]]></send>")

    def request(self, method: str, kind: str = "", mode: str = "sendrecv") -> None:
        """A request within the dialog (or, from the caller, the INVITE that makes it)."""
        if method not in ("ACK", "CANCEL"):
            self.cseq += 1
        tag = f"{self.mark}_TAG[pid]x[call_number]"
        first = method == "INVITE" and self.side == "caller" and self.cseq == 2
        target = (
            "sip:[service]@[remote_ip]:[remote_port]"
            if first or method == "CANCEL"
            else "[next_url]"
        )
        if self.side == "caller":
            peer = "<sip:[service]@[remote_ip]:[remote_port]>"
            peer += "" if first or method == "CANCEL" else "[peer_tag_param]"
        else:
            peer = "<[$peer]"
        self.send(
            f"{method} {target} SIP/2.0\n"
            f"Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];v={self.mark}\n"
            f"From: {self.own_address()};tag={tag};f={self.mark}\n"
            f"To: {peer}\nCall-ID: [call_id]\nCSeq: {self.cseq} {method}\nMax-Forwards: 70\n"
            f"{self.headers()}\n{self.body(kind, mode)}",
            retransmit=method != "ACK",
        )

    def acknowledge_refusal(self) -> None:
        """The ACK of a failed INVITE has its branch (RFC 3261 17.1.1.3)."""
        target = "sip:[service]@[remote_ip]:[remote_port]"
        self.send(
            f"ACK {target} SIP/2.0\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n"
            f"CSeq: {self.cseq} ACK\nMax-Forwards: 70\n{self.headers()}\nContent-Length: 0\n\n"
        )

    def reply(self, status: int, kind: str = "", retransmit: bool = False) -> None:
        tag = f";tag={self.mark}_TAG[pid]x[call_number]" if self.side == "called" else ""
        to = f"[last_To:]{tag}" if self.tagless else "[last_To:]"
        self.send(
            f"SIP/2.0 {status} {self.mark}_reason\n[last_Via:]\n"
            f"Via: SIP/2.0/UDP {self.mark}.example;branch=z9hG4bK{self.mark}\n"
            f"[last_From:]\n{to}\n[last_Call-ID:]\n[last_CSeq:]\n"
            f"{self.headers(status)}\n{self.body(kind)}",
            retransmit,
        )

    def wait(self, what: int | str, optional: bool = False, action: str = "") -> None:
        kind = "response" if isinstance(what, int) else "request"
        extra = ' optional="true"' if optional else ""
        extra += ' rrs="true"' if what in ("INVITE", 200) else ""
        self.steps.append(f"<recv {kind}={quoteattr(str(what))}{extra}>{action}</recv>")

    def be_cancelled(self) -> None:
        self.wait("CANCEL")
        self.reply(200, "other")
        self.send(
            f"SIP/2.0 487 {self.mark}_reason\n[last_Via:]\n[last_From:]\n[last_To:]\n"
            f"[last_Call-ID:]\nCSeq: 2 INVITE\n{self.headers()}\n{self.body('other')}",
            retransmit=True,
        )
        self.wait("ACK")

    def pause(self, milliseconds: int) -> None:
        self.steps.append(f'<pause milliseconds="{milliseconds}"/>')

    def xml(self) -> str:
        body = "\n".join(self.steps)
        head = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="leak">'
        return f"{head}\n{body}\n</scenario>\n"


# The called phone keeps the caller's address as it knows it, to call back within the dialog.
KEEP_PEER = (
    '<action><ereg regexp="sip:.*" search_in="hdr" header="From:" assign_to="peer"/>'
    '<log message="peer [$peer]"/></action>'
)


def phones(make: type[Phone] = Phone) -> tuple[Phone, Phone]:
    return make("SECA", CALLER_NUMBER, "caller"), make("SECB", CALLED_NUMBER, "called")


def answered(caller: Phone, called: Phone, *, early: bool = True) -> None:
    """INVITE, 183 with sound if it is to come early, 180, 200, ACK."""
    caller.request("INVITE", "sdp")
    called.wait("INVITE", action=KEEP_PEER)
    if early:
        called.reply(183, "sdp")
        called.pause(GAP)
    called.reply(180)
    called.pause(GAP)
    called.reply(200, "sdp", retransmit=True)
    caller.wait(100, optional=True)
    caller.wait(183, optional=True)
    caller.wait(180, optional=True)
    caller.wait(200)
    caller.request("ACK")
    called.wait("ACK")
    caller.tagless = called.tagless = False


def exchange(
    asker: Phone, other: Phone, method: str, kind: str = "", status: int = 200, back: str = ""
) -> None:
    """A request within the dialog and its answer, which holds what is given back, or what fits."""
    asker.pause(GAP)
    asker.request(method, kind, "sendonly" if method == "INVITE" else "sendrecv")
    other.wait(method)
    other.reply(status, back or (kind if kind == "sdp" and status == 200 else "other"))
    asker.wait(100, optional=True)
    asker.wait(status)
    if method == "INVITE":
        asker.request("ACK") if status == 200 else asker.acknowledge_refusal()
        other.wait("ACK")


def whole_call() -> tuple[str, str]:
    caller, called = phones()
    answered(caller, called)
    exchange(caller, called, "INVITE", "sdp")
    exchange(called, caller, "INVITE", "sdp")
    exchange(caller, called, "UPDATE", "sdp")
    exchange(called, caller, "UPDATE", "sdp")
    for kind in ("dtmf", "other"):
        exchange(caller, called, "INFO", kind)
        exchange(called, caller, "INFO", kind)
    exchange(caller, called, "OPTIONS", "other", back="sdp")
    exchange(called, caller, "OPTIONS", "other", back="sdp")
    exchange(caller, called, "INFO", "dtmf", back="sdp")
    exchange(caller, called, "INVITE", "sdp", 488)
    exchange(called, caller, "INVITE", "sdp", 491)
    exchange(called, caller, "BYE", "other")
    return caller.xml(), called.xml()


TIMED = (
    '<action><ereg regexp="^ *90;refresher=uac *$" search_in="hdr" header="Session-Expires:" '
    'check_it="true" assign_to="timer"/><log message="timer [$timer]"/></action>'
)


def refreshed() -> tuple[str, str]:
    """A session timer that each party keeps alive, by either method."""
    caller, called = phones()
    caller.timed = called.timed = True
    answered(caller, called)
    for asker, other in ((caller, called), (called, caller)) * 2:
        for method, kind in (("UPDATE", ""), ("INVITE", "sdp")):
            asker.pause(400)
            asker.request(method, kind)
            other.wait(method, action=TIMED)
            other.reply(200, kind)
            asker.wait(100, optional=True)
            asker.wait(200, action=TIMED)
            if method == "INVITE":
                asker.request("ACK")
                other.wait("ACK")
    caller.timed = called.timed = False
    exchange(caller, called, "BYE", "other")
    return caller.xml(), called.xml()


def from_browsers() -> tuple[str, str]:
    """Sound that is offered as browsers do, too, when the call begins and later."""
    caller, called = phones()
    caller.browser = called.browser = True
    answered(caller, called)
    exchange(caller, called, "INVITE", "sdp")
    exchange(called, caller, "UPDATE", "sdp")
    exchange(caller, called, "BYE", "other")
    return caller.xml(), called.xml()


def ended_by_caller() -> tuple[str, str]:
    caller, called = phones()
    answered(caller, called)
    exchange(caller, called, "BYE", "other")
    return caller.xml(), called.xml()


# A 503 is for us alone (RFC 3261 16.7 step 6): the caller sees 500.
SEEN_BY_CALLER = {
    302: 480,
    503: 500,
    401: 480,
    407: 480,
    421: 480,
    485: 480,
    494: 480,
    599: 500,
    699: 603,
}


def refused(status: int, make: type[Phone] = Phone) -> tuple[str, str]:
    """The called phone answers a final refusal; the caller sees the status that may pass."""
    caller, called = phones(make)
    caller.request("INVITE", "sdp")
    called.wait("INVITE")
    called.reply(180)
    called.pause(GAP)
    called.reply(status, "other", retransmit=True)
    called.wait("ACK")
    caller.wait(100, optional=True)
    caller.wait(180, optional=True)
    caller.wait(SEEN_BY_CALLER.get(status, status))
    caller.acknowledge_refusal()
    return caller.xml(), called.xml()


def cancelled(make: type[Phone] = Phone) -> tuple[str, str]:
    caller, called = phones(make)
    caller.request("INVITE", "sdp")
    called.wait("INVITE")
    called.reply(180)
    caller.wait(100, optional=True)
    caller.wait(180)
    caller.pause(GAP)
    caller.send(
        "CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n[last_Via:]\n[last_From:]\n"
        "To: <sip:[service]@[remote_ip]:[remote_port]>\n[last_Call-ID:]\nCSeq: 2 CANCEL\n"
        f"Max-Forwards: 70\n{caller.headers()}\nContent-Length: 0\n\n",
        retransmit=True,
    )
    called.be_cancelled()
    caller.wait(200, optional=True)  # the CANCEL's; the 487 may overtake it
    caller.wait(487)
    caller.acknowledge_refusal()
    return caller.xml(), called.xml()


REFUSALS = (
    302,
    400,
    401,
    404,
    407,
    408,
    420,
    421,
    480,
    485,
    486,
    488,
    494,
    500,
    503,
    599,
    600,
    603,
    699,
)


def scenarios() -> dict[str, tuple[str, str]]:
    """Every scenario by name: the caller's and the called phone's XML."""
    calls = {
        "whole-call": whole_call(),
        "refreshed": refreshed(),
        "from-browsers": from_browsers(),
        "ended-by-caller": ended_by_caller(),
        "cancelled": cancelled(),
    }
    return calls | {f"refused-{status}": refused(status) for status in REFUSALS}
