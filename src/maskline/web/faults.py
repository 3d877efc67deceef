"""Error answers that the HTTP door gives by itself, before any operation has a say.

    Fault
    ├── MissingSignature       nothing says who asks
    ├── IncompleteSignature    what says who asks does not follow the rules of Signature Version 4
    ├── InvalidSignature       the signature is not that of this request, of this key, of this time
    ├── UnknownClient          there is no such key
    ├── RequestExpired         a presigned URL whose time is over
    ├── UnknownOperation       no operation answers to this method and path
    ├── OperationNotOffered    one of AWS's does, and is not to be had here
    └── BodyTooLarge           more than anybody has reason to send

Names are those of AWS's common errors, by which clients know what to do: on an
InvalidSignatureException the JavaScript SDK, for one, sets its clock by ours and tries again.
"""


class Fault(Exception):
    """A request answered with an error. The message is for the one who asked."""

    name = "BadRequestException"
    status = 400
    code = "BadRequest"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MissingSignature(Fault):
    name = "MissingAuthenticationTokenException"
    status = 403
    code = "Unauthorized"


class IncompleteSignature(Fault):
    name = "IncompleteSignatureException"


class InvalidSignature(Fault):
    name = "InvalidSignatureException"
    status = 403
    code = "Unauthorized"


class UnknownClient(Fault):
    name = "UnrecognizedClientException"
    status = 403
    code = "Unauthorized"


class RequestExpired(Fault):
    name = "RequestExpiredException"


class UnknownOperation(Fault):
    name = "UnknownOperationException"
    status = 404
    code = "NotFound"


class OperationNotOffered(Fault):
    # Every operation of both services lists it, so every client has a type for it.
    name = "ForbiddenException"
    status = 403
    code = "Forbidden"


class BodyTooLarge(Fault):
    name = "RequestEntityTooLargeException"
    status = 413
