"""HTTP as uvicorn reads it, except that what is no HTTP is refused in the form of all our errors.

Clients read every answer as JSON. What comes here is a URL of more than 64 KiB, for one, or a
header that is none.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from maskline.web import answers
from maskline.web.pipeline import new_request_id


class Protocol(HttpToolsProtocol):
    """One connection."""

    def send_400_response(self, msg: str) -> None:
        answer = answers.error(answers.BAD_REQUEST, 400, "BadRequest", msg)
        headers = [
            *answer.headers,
            (b"x-amzn-requestid", new_request_id().encode()),
            (b"content-length", str(len(answer.body)).encode()),
            (b"connection", b"close"),
        ]
        lines = [b"HTTP/1.1 400 Bad Request", *(b": ".join(header) for header in headers)]
        self.transport.write(b"\r\n".join([*lines, b"", answer.body]))
        self.transport.close()
