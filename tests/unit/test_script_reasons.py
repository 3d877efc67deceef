"""Why a call was hung up: a BYE has a Reason for each protocol that tells one (RFC 3326 2), and
that of Q.850 need not be the first."""

import base64

from fake_kamailio import CALL, OFFER, Script, invite, reply, within

REASONS = ("SIP;cause=200", "Q.850;cause=31")
ENDED = {"CallId": CALL, "Event": "Ended", "EndedBy": "caller", "SipStatus": 200}


def joined(*reasons: str) -> str:
    return base64.b64encode(",".join(reasons).encode()).decode()


def test_of_a_bye_that_kamailio_sends(script: Script) -> None:
    cells = script.kamailio.cells
    cells["$var(ended)"] = f"{CALL} caller 1"
    cells["$(hdr(Reason){s.encode.base64})"] = joined(REASONS[0])
    cells["$(hdr(Reason)[*]{s.encode.base64})"] = joined(*REASONS)
    assert script.routes.hung_up(None) == 1
    assert script.kamailio.given("is_present") == [("Reason",)]
    cells["$(hdr(Reason)[*]{s.encode.base64})"] = None  # more than Kamailio joins
    script.routes.hung_up(None)
    assert script.control.events() == [{**ENDED, "Cause": 31}, ENDED]


def test_of_a_bye_that_the_script_sends(script: Script) -> None:
    script.request(invite())
    script.reply(reply(script.sent, 200, body=OFFER))
    script.request(within("BYE", script.sent, *(("Reason", one) for one in REASONS)))
    assert script.control.events()[-1] == {**ENDED, "Cause": 31}
