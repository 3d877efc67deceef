"""Every way the domain says no.

A refusal is an answer, not a fault: the request was understood and will not be carried out.
What goes wrong on our side is any other exception.

    Refusal
    ├── BadRequest                  the request can never be carried out as it is
    │   ├── InvalidPhoneNumber      not a number that may be used here
    │   ├── InvalidNextToken        a list position that this list never gave out
    │   └── NoNumberFree            no proxy number is left for these participants
    ├── Unauthorized                who asks is not known
    ├── Forbidden                   who asks may not, or the resource is switched off
    │   └── AccessDenied
    ├── NotFound                    there is no such resource in this account
    ├── Conflict                    the resource is in a state that does not allow it
    │   ├── NumbersAssociated       phone numbers must be taken off it first
    │   └── GroupsAssociated        it must be taken out of its groups first
    ├── LimitExceeded               a quota is used up
    ├── Throttled                   too many requests; later ones may succeed
    └── Unavailable                 not now; the same request may succeed later
"""


class Refusal(Exception):
    """A request that will not be carried out, with a reason fit for the one who asked.

    `kind` names the family that decides the answer's status, `code` is the finer reason in the
    words of AWS's ErrorCode, `retry_after` is in seconds. Messages hold no phone number in full.
    """

    kind = "BadRequest"
    code = "BadRequest"

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class BadRequest(Refusal):
    pass


class InvalidPhoneNumber(BadRequest):
    pass


class InvalidNextToken(BadRequest):
    pass


class NoNumberFree(BadRequest):
    # Not a 5xx: clients would repeat the request, and it would fail again.
    code = "ResourceLimitExceeded"


class Unauthorized(Refusal):
    kind = "UnauthorizedClient"
    code = "Unauthorized"


class Forbidden(Refusal):
    kind = "Forbidden"
    code = "Forbidden"


class AccessDenied(Forbidden):
    kind = "AccessDenied"
    code = "AccessDenied"


class NotFound(Refusal):
    kind = "NotFound"
    code = "NotFound"


class Conflict(Refusal):
    kind = "Conflict"
    code = "Conflict"


class NumbersAssociated(Conflict):
    code = "PhoneNumberAssociationsExist"


class GroupsAssociated(Conflict):
    code = "VoiceConnectorGroupAssociationsExist"


class LimitExceeded(Refusal):
    kind = "ResourceLimitExceeded"
    code = "ResourceLimitExceeded"


class Throttled(Refusal):
    kind = "ThrottledClient"
    code = "Throttled"


class Unavailable(Refusal):
    kind = "ServiceUnavailable"
    code = "ServiceUnavailable"
