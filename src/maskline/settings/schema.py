"""Every setting, its meaning and its default: the only place that says them.

The reader, the file written on first start and `docs/guides/configuration.md` are readings of
these classes, and of those that stand in files of their own: what has no documentation there
does not exist.
"""
# ruff: noqa: RUF009 - `setting` makes a field, and every default is a frozen value

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maskline.domain.connector import (
    LONGEST_CALL_SECONDS,
    LONGEST_REST_MINUTES,
    LONGEST_RING_SECONDS,
)
from maskline.settings.bounds import Ceilings, Quotas
from maskline.settings.http import CarrierHttp, CarrierTwilio, Pictures
from maskline.settings.setting import setting
from maskline.settings.sip import CarrierSip, Sip
from maskline.settings.smpp import CarrierSmpp
from maskline.settings.texts import Texts
from maskline.settings.values import Address, Host, PortRange, StoreUrl, Url


@dataclass(frozen=True)
class ApiTls:
    """What the HTTP door shows. With a certificate it speaks TLS, 1.2 or newer, alone."""

    certificate: Path | None = setting(
        "A PEM file with the certificate, followed by those between it and its root. A new one is "
        "read at SIGUSR2.",
        None,
        example="tls/api.pem",
    )
    key: Path | None = setting(
        "A PEM file with the private key of the certificate, without a password.",
        None,
        example="tls/api.key",
    )


@dataclass(frozen=True)
class Api:
    """The HTTP door: the control API."""

    listen: Address = setting(
        "Address and port of the HTTP API. It speaks plain HTTP unless it has a certificate "
        "(api.tls): give it one, or put a TLS proxy before it, when clients are on other machines.",
        Address("127.0.0.1", 8080),
    )
    max_body_bytes: int = setting(
        "The largest body of a request, in bytes. A larger one is refused unread. What bodies "
        "under way have beyond 64 KiB each may be 32 times as much together, that of one access "
        "key 8 times; one that goes beyond is answered with ServiceUnavailableException, to be "
        "sent again. Bodies of up to 64 KiB are always taken.",
        1_048_576,
        least=1_024,
        most=67_108_864,
    )
    max_connections: int = setting(
        "How many connections clients may hold at once. One more takes the place of the one that "
        "has asked for nothing for longest; where all are asking, it is answered with "
        "ServiceUnavailableException. One that sends no request within 20 seconds is closed.",
        4_096,
        least=16,
        most=65_536,
    )
    max_requests_per_second: int = setting(
        "How many requests a second one access key may send to each process, and how many at once "
        "after a pause. Those beyond are answered with ThrottledClientException. SDKs for "
        "JavaScript and Java send such a request again by themselves, boto3 in its retry mode "
        "legacy alone, which newer versions of it have to be told (AWS_RETRY_MODE). Two cores "
        "carry out some 3,000 creates a second on SQLite, 600 on PostgreSQL.",
        500,
        least=1,
        most=1_000_000,
    )
    max_account_requests_per_second: int = setting(
        "The same for all access keys of an account together, of which it may make as many as its "
        "quota allows.",
        1_000,
        least=1,
        most=1_000_000,
    )
    public_url: Url | None = setting(
        "Where others find this API from outside, by its own TLS or through your proxy: providers "
        "of texts send to it, below /carriers/, and links to pictures lead to it, below /media/. "
        "No other path has to be open to them.",
        None,
        example="https://sms.example.com",
    )
    tls: ApiTls = setting("The HTTP door's TLS.", ApiTls())


@dataclass(frozen=True)
class Health:
    """A door for load balancers and watchers alone."""

    listen: Address | None = setting(
        "Address and port where this process, whatever its role, answers GET /health over HTTP and "
        "nothing else. One that serves the API answers it there, too.",
        None,
        example="127.0.0.1:8081",
    )


@dataclass(frozen=True)
class Media:
    """Sound, relayed by rtpengine."""

    address: Host = setting(
        "The IP address that sound is sent from and received on.", Host("127.0.0.1")
    )
    second_address: Host | None = setting(
        "A second one, of the other version of IP: carriers reached by IPv6 get sound by IPv6, "
        "those reached by IPv4 by IPv4.",
        None,
        example="2001:db8::1",
    )
    ports: PortRange = setting(
        "UDP ports for sound. A call takes two of them and keeps them for a moment after it.",
        PortRange(30000, 39999),
    )
    control: Address | None = setting(
        "Address and port at which the other nodes over the same database reach this node's "
        "rtpengine, on a network of their own: it obeys whoever can send to it. Left out, it can "
        "be reached from this machine alone, and other nodes cannot change the sound of this "
        "one's calls.",
        None,
        example="10.0.0.1:2223",
    )
    user: str = setting(
        "The system user rtpengine runs as when Maskline is started by root. "
        "Debian's package makes this user.",
        "rtpengine",
    )

    @property
    def addresses(self) -> tuple[Host, ...]:
        return (self.address, self.second_address) if self.second_address else (self.address,)


@dataclass(frozen=True)
class Recording:
    """Recordings of calls, where record_calls or a connector's rule asks for them."""

    announcement: Path | None = setting(
        "A WAV file (PCM, 16 bits, at most 60 seconds) that both people hear when a call to be "
        "recorded is answered; the recording begins after it. Many countries require one.",
        None,
        example="prompts/recorded.wav",
    )
    retention_days: int = setting("How many days a recording is kept.", 30, least=1, most=36_500)


@dataclass(frozen=True)
class Announcements:
    """What refused callers hear first: for each reason a WAV file (PCM, 16 bits, at most 60 s)."""

    unknown_caller: Path | None = setting(
        "Whoever takes part in no session on the number.", None, example="prompts/unknown.wav"
    )
    session_closed: Path | None = setting(
        "Former participants of a session that is closed, when there is no fallback number.",
        None,
        example="prompts/closed.wav",
    )
    voice_not_allowed: Path | None = setting(
        "Participants of a session without Voice.", None, example="prompts/texts-only.wav"
    )
    anonymous: Path | None = setting(
        "Whoever withholds their number.", None, example="prompts/withheld.wav"
    )
    not_our_number: Path | None = setting(
        "Whoever dialled a number that is not in the inventory.",
        None,
        example="prompts/no-number.wav",
    )
    too_many_calls: Path | None = setting(
        "Whoever calls when a limit is reached.", None, example="prompts/busy.wav"
    )
    no_carrier: Path | None = setting(
        "Whoever calls when no carrier can take the call.", None, example="prompts/later.wav"
    )
    encryption_required: Path | None = setting(
        "Whoever calls by a carrier that is not encrypted, where enforce_encryption forbids it.",
        None,
        example="prompts/encrypted.wav",
    )
    barred_number: Path | None = setting(
        "Participants of a session whose other number must not be dialled.",
        None,
        example="prompts/barred.wav",
    )
    most_at_once: int = setting(
        "How many callers hear an announcement at once, on each node; more are refused without.",
        50,
        least=1,
        most=10_000,
    )


@dataclass(frozen=True)
class Store:
    """Where sessions, numbers and call records are kept."""

    url: StoreUrl | None = setting(
        "The database: sqlite: and the path of its file, or the postgresql:// URL of a database, "
        "which any number of processes can share. Left out, it is maskline.db in data_dir. "
        "PostgreSQL needs Python packages that tools/install serve brings.",
        None,
        example="sqlite:var/maskline.db",
    )
    key: Path | None = setting(
        "The file with the key under which secrets are kept in a PostgreSQL database: the same for "
        "all its processes; the first of them makes it. Left out, it is store.key in data_dir. "
        "The key of a SQLite database always lies beside it.",
        None,
        example="var/store.key",
    )
    cache_mebibytes: int = setting(
        "How much of a SQLite database each of the service's connections to it keeps in memory, in "
        "mebibytes. Two are in use all the time: memory grows by so much with the database.",
        64,
        least=1,
        most=65_536,
    )


@dataclass(frozen=True)
class Log:
    """What the service tells about itself, on its standard error."""

    format: Literal["auto", "console", "json"] = setting(
        "How log lines look: console for people, json for machines, auto to choose console on a "
        "terminal and json elsewhere.",
        "auto",
    )
    level: Literal["debug", "info", "warning", "error"] = setting(
        "The least serious kind of line that is written.", "info"
    )


@dataclass(frozen=True)
class Carrier:
    """Somebody who delivers calls or texts to us and takes them from us; as many as there are."""

    name: str = setting(
        "What imported phone numbers name as their carrier.",
        example="acme",
    )
    sip: CarrierSip | None = setting("The SIP trunk of the carrier, for calls.", None)
    smpp: CarrierSmpp | None = setting("The SMPP binds to the carrier, for texts.", None)
    twilio: CarrierTwilio | None = setting("Twilio's API, for texts.", None)
    http: CarrierHttp | None = setting("Another provider's API, for texts.", None)

    @property
    def ways_of_texts(self) -> tuple[str, ...]:
        """The names of the tables by which it carries texts; there is at most one."""
        named = [name for name in ("smpp", "twilio", "http") if getattr(self, name) is not None]
        return (*named, "sip.messages") if self.sip and self.sip.messages else tuple(named)


@dataclass(frozen=True)
class Settings:
    """What holds for the whole service."""

    data_dir: Path = setting(
        "The directory for everything the service keeps: the database, the credentials of the "
        "first start, its keys. Paths in this file are relative to the file's own directory.",
        Path("var"),
    )
    max_session_minutes: int = setting(
        "The longest ExpiryMinutes a proxy session may ask for.", 720, least=1, most=525_600
    )
    closed_session_retention_days: int = setting(
        "How many days a closed session can still be read before it is deleted for good.",
        30,
        least=0,
        most=36_500,
    )
    call_retention_days: int = setting(
        "How many days the record of an ended call is kept.", 90, least=1, most=36_500
    )
    audit_retention_days: int = setting(
        "How many days it is kept who changed what through the API, and what phone numbers were "
        "ordered.",
        365,
        least=1,
        most=36_500,
    )
    number_assignment: Literal["shared", "per_participant"] = setting(
        "What becomes of a new session when no proxy number is free for both participants: shared "
        "refuses it, per_participant gives each their own number where there is one.",
        "shared",
    )
    number_rest_minutes: int = setting(
        "How many minutes after the end of a session its participants get its proxy number for no "
        "session with another person, so that who calls or texts late does not reach a stranger. "
        "The same two people get it at once. 0: it is free at once for all, as with AWS. No longer "
        "than closed_session_retention_days. The longer the rest, the more numbers are needed.",
        0,
        least=0,
        most=LONGEST_REST_MINUTES,
    )
    unknown_caller: Literal["reject", "fallback"] = setting(
        "What becomes of a call from somebody who takes part in no session on the number: reject "
        "answers 404, fallback connects to the connector's fallback number where it has one.",
        "reject",
    )
    max_ring_seconds: int = setting(
        "How long a phone may ring before the call is given up.",
        60,
        least=5,
        most=LONGEST_RING_SECONDS,
    )
    max_call_minutes: int = setting(
        "How long a call may last before both sides are hung up.",
        240,
        least=1,
        most=LONGEST_CALL_SECONDS // 60,
    )
    max_calls: int = setting(
        "How many calls a voice connector may have at once. 0: any number.",
        0,
        least=0,
        most=1_000_000,
    )
    max_calls_per_second: int = setting(
        "How many calls a second a voice connector may have, on each node. 0: any number.",
        0,
        least=0,
        most=100_000,
    )
    max_calls_per_caller: int = setting(
        "How many calls one caller may have at once on a voice connector. 0: any number.",
        0,
        least=0,
        most=1_000,
    )
    max_calls_per_caller_per_second: int = setting(
        "How many calls a second one caller may make on a voice connector, on each node. 0: any "
        "number.",
        0,
        least=0,
        most=1_000,
    )
    enforce_encryption: bool = setting(
        "Whether RequireEncryption of a voice connector holds for the calls of its proxy sessions: "
        "those come from and go to carriers alone that are reached by tls and whose srtp is "
        "required or dtls, and arrive by tls or wss; others are refused with 403. Off, because "
        "with AWS it was about the trunk to the customer's own telephone system, and many programs "
        "set it.",
        False,
    )
    barred_prefixes: tuple[str, ...] = setting(
        "Beginnings of numbers that are never dialled, +53 say, beside emergency, short, "
        "satellite and premium-rate numbers, which never are. No new session takes one.",
        (),
    )
    hang_up_on_delete: bool = setting(
        "Whether deleting a session hangs up its calls.",
        True,
    )
    hang_up_on_expiry: bool = setting(
        "Whether a session that runs out hangs up its calls; otherwise they go on to their end, "
        "up to max_call_minutes.",
        False,
    )
    record_calls: bool = setting(
        "Whether calls are recorded: each into <data_dir>/recordings/<CallId>.wav, the caller on "
        "the left channel and the called on the right. Calls that are recorded use G.711 alone.",
        False,
    )
    api: Api = setting("The HTTP door.", Api())
    quotas: Quotas = setting("What an account may have.", Quotas())
    ceilings: Ceilings = setting("What no rule of a voice connector goes beyond.", Ceilings())
    sip: Sip = setting("The SIP door.", Sip())
    media: Media = setting("Sound.", Media())
    texts: Texts = setting("Texts.", Texts())
    recording: Recording = setting("Recordings of calls.", Recording())
    announcements: Announcements = setting("What refused callers hear.", Announcements())
    pictures: Pictures = setting("Pictures in texts.", Pictures())
    health: Health = setting("Who asks how a process does.", Health())
    store: Store = setting("Where data is kept.", Store())
    log: Log = setting("What the service tells about itself.", Log())
    carriers: tuple[Carrier, ...] = setting("The carriers.", ())

    @property
    def trunks(self) -> dict[str, CarrierSip]:
        """The SIP trunks of the carriers that have one, by the carrier's name."""
        return {one.name: one.sip for one in self.carriers if one.sip is not None}
