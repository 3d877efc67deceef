"""Causes of Q.850: what the end of a call is called in telephone networks."""

NORMAL, NO_ANSWER, UNSPECIFIED, FAILURE = 16, 19, 31, 41

# What a SIP status is in ISUP (RFC 3398 8.2.6.1). It has nothing for 487, and for 488 and 606 looks
# at a Warning, which nobody passes on: they are unspecified.
CAUSES = {
    200: NORMAL, 400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102,
    410: 22, 413: 127, 414: 127, 415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 433: 21, 480: 18,
    481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17, 500: 41, 501: 79, 502: 38, 503: 41,
    504: 102, 505: 127, 513: 127, 600: 17, 603: 21, 604: 1, 607: 21,
}  # fmt: skip


def cause_of(status: int | None, *, rang: bool) -> int:
    """The cause for a call that ended with this status. Who was rung and is not available did not
    answer; who was not rung was not there."""
    if status is None:
        return FAILURE
    if status == 480 and rang:
        return NO_ANSWER
    return CAUSES.get(status, FAILURE if 500 <= status < 600 else UNSPECIFIED)
