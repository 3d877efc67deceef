"""Sending a request to the server, and trying again where that can help."""

import contextlib
import http.client
import random
import re
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from maskline import __version__
from maskline.cli.faults import BadParameters, Fault
from maskline.cli.signer import AccessKey, sign
from maskline.cli.wire import Request, read_error

Trace = Callable[[str], None]

MAX_ATTEMPTS = 3
LONGEST_PAUSE = 20.0
TRANSIENT_STATUSES = {500, 502, 503, 504}
# Names of answers that say "too fast", from the standard retry mode of the AWS clients.
# ThrottledClientException is none of them, and so is not tried again.
THROTTLING = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
TRANSIENT_ERRORS = {"RequestTimeout", "RequestTimeoutException"}


class Answer(NamedTuple):
    """What the server said. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    attempts: int


class Unreachable(Fault):
    """No answer came back. `attempts` tells how often it was tried."""


class Client(NamedTuple):
    """How to reach one server. Times are in seconds; 0 waits for ever. `pinned` is a file with the
    certificate that the server shows, whatever name it is for; `ca_bundle` is not looked at then.
    """

    endpoint: str
    region: str
    key: AccessKey | None
    connect_timeout: float = 60
    read_timeout: float = 60
    verify: bool = True
    pinned: Path | None = None
    ca_bundle: str | None = None
    max_attempts: int = MAX_ATTEMPTS
    trace: Trace = lambda line: None

    def send(self, request: Request) -> Answer:
        """The server's answer, error answers included. Raises Unreachable."""
        url = split_endpoint(self.endpoint)
        for attempt in range(1, self.max_attempts + 1):
            last = attempt == self.max_attempts
            try:
                answer = self._send_once(url, request, attempt)
                if last or not worth_repeating(answer):
                    return answer
            except Unreachable:
                if last:
                    raise
            pause = random.random() * min(2.0 ** (attempt - 1), LONGEST_PAUSE)
            self.trace(f"attempt {attempt} failed, trying again in {pause:.2f} s")
            time.sleep(pause)
        raise AssertionError("max_attempts is at least one")

    def _send_once(self, url: SplitResult, request: Request, attempt: int) -> Answer:
        target = url.path.rstrip("/") + request.target
        headers = {
            "Host": url.netloc.rpartition("@")[2],
            "User-Agent": f"maskline-cli/{__version__}",
            **request.headers,
        }
        if self.key:
            headers = sign(self.key, self.region, request.method, target, headers, request.body)
        self.trace(f"> {request.method} {target}")
        shown = f"{url.scheme}://{url.netloc}{target}"
        connection = self._connection(url)
        with contextlib.closing(connection):
            self._connect(connection, shown)
            answer = _exchange(connection, request, target, headers, shown)
        self.trace(f"< {answer.status} {answer.headers}")
        return answer._replace(attempts=attempt)

    def _connection(self, url: SplitResult) -> http.client.HTTPConnection:
        host, port, timeout = url.hostname or "", url.port, self.connect_timeout or None
        if url.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls())

    def _tls(self) -> ssl.SSLContext:
        if self.verify and self.pinned:
            return pinned_to(self.pinned)
        try:
            context = ssl.create_default_context(cafile=self.ca_bundle if self.verify else None)
        except OSError as error:
            raise Fault(f"Could not read the CA bundle {self.ca_bundle}: {error}") from None
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _connect(self, connection: http.client.HTTPConnection, url: str) -> None:
        try:
            connection.connect()
        except ssl.SSLError as error:
            trusted = _PINNED_HINT if self.pinned else _TLS_HINT
            hint = _PLAIN_HINT if error.reason in _NO_TLS else trusted
            raise Unreachable(f"SSL validation failed for {url} {error}", hint) from None
        except TimeoutError:
            raise Unreachable(f'Connect timeout on endpoint URL: "{url}"') from None
        except (OSError, UnicodeError):
            raise Unreachable(
                f'Could not connect to the endpoint URL: "{url}"', _NO_SERVER_HINT
            ) from None
        assert isinstance(connection.sock, socket.socket)
        connection.sock.settimeout(self.read_timeout or None)


_NO_SERVER_HINT = (
    "is the server running? Start it with `maskline serve`; `--endpoint-url` says where it is,"
    " and `maskline doctor` looks for what is wrong"
)
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")  # OpenSSL 3.0, and later ones
_PLAIN_HINT = (
    "no TLS is spoken there: without a TLS proxy or a certificate of its own (api.tls) the server's"
    " address begins with http://"
)
_PINNED_HINT = (
    "it shows another certificate than maskline.toml names here: SIGUSR2 makes it read a new one"
)
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_TLS_HINT = "`--ca-bundle FILE` names the certificate authority that the server's certificate is of"


def _exchange(
    connection: http.client.HTTPConnection,
    request: Request,
    target: str,
    headers: dict[str, str],
    url: str,
) -> Answer:
    try:
        connection.putrequest(request.method, target, skip_host=True)
        if request.body or request.method not in ("GET", "HEAD"):
            headers = {**headers, "Content-Length": str(len(request.body))}
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(request.body or None)
        response = connection.getresponse()
        body = response.read()
    except TimeoutError:
        raise Unreachable(f'Read timeout on endpoint URL: "{url}"') from None
    except (OSError, http.client.HTTPException):
        raise Unreachable(
            f'Connection was closed before we received a valid response from endpoint URL: "{url}".'
        ) from None
    except ValueError as error:  # a control character in a header or the path
        raise BadParameters(str(error)) from None
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, body, 1)


def worth_repeating(answer: Answer) -> bool:
    """Whether the same request may get a better answer, by the AWS clients' standard mode."""
    if answer.status < 400:
        return False
    name = read_error(answer.status, answer.headers, answer.body).name
    return answer.status in TRANSIENT_STATUSES or name in THROTTLING | TRANSIENT_ERRORS


def pinned_to(file: Path) -> ssl.SSLContext:
    """Trusts the first certificate in a file and nothing else. Raises Fault where there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the server beside is reached by its address
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        found = _CERTIFICATE.search(file.read_text(encoding="utf-8"))
        context.load_verify_locations(cadata=found[0] if found else "")
    except (OSError, ValueError) as error:
        raise Fault(f"Could not read the server's certificate {file}: {error}") from None
    return context


def split_endpoint(endpoint: str) -> SplitResult:
    """The parts of an endpoint's URL. Raises Fault where it is none."""
    try:
        url = urlsplit(endpoint)
        port_is_number = url.port is None or url.port >= 0
    except ValueError:
        port_is_number = False
        url = urlsplit("")
    plain = url.path.isascii() and url.path.isprintable() and " " not in url.path
    if not plain or not port_is_number or url.scheme not in ("http", "https") or not url.hostname:
        raise Fault(f"Invalid endpoint: {endpoint}", "one looks like http://127.0.0.1:8080")
    return url
