"""First requests: which cannot be carried out, what numbers they tell, what is kept of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline_sip import firsts, kept, mask, sip
from maskline_sip.refuse import Refuse
from maskline_sip.settings import Carrier

ANN, BEN, PROXY = "+12065550100", "+14015550101", "+19135550199"


def carrier(username: str = "", *, register: bool = False) -> Carrier:
    return Carrier(
        "acme", "", [], False, "off", "default", [], None, username, register,
        None, None, None, None, False, [], [],
    )  # fmt: skip


ACME = carrier()


def request(method: str, *headers: tuple[str, str], uri: str = f"sip:{PROXY}@a") -> sip.Message:
    return sip.Message(f"{method} {uri} SIP/2.0", headers, b"")


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "BYE", "UPDATE"])
def test_what_cannot_be_carried_out_is_refused(method: str) -> None:
    firsts.check(request(method, ("max-forwards", "1"), ("require", "timer, 100rel")))
    with pytest.raises(Refuse) as looped:
        firsts.check(request(method, ("max-forwards", "0")))
    assert (looped.value.status, looped.value.headers) == (483, ())
    with pytest.raises(Refuse) as asked:
        firsts.check(request(method, ("require", "gruu, timer"), ("require", "x")))
    assert (asked.value.status, asked.value.headers) == (420, ("Unsupported: gruu, x",))


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_what_may_not_be_answered_needs_nothing(method: str) -> None:
    """RFC 3261 8.2.2.3."""
    firsts.check(request(method, ("require", "gruu")))


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ([("from", f'"x" <sip:{ANN}@a>;tag=1')], ANN),
        ([("from", f"<sip:{ANN}@a>"), ("p-asserted-identity", f'"+1" <tel:{BEN}>')], BEN),
        ([("from", "<sip:anonymous@a>"), ("p-asserted-identity", f"<sip:x@a>, <tel:{BEN}>")], BEN),
        ([("from", f"<sip:{ANN}@a>"), ("p-asserted-identity", "<sip:x@a>")], ANN),
        ([("from", "<sip:anonymous@anonymous.invalid>")], ""),
        ([("from", "<sip:12@a>")], ""), ([("from", "<sip:123@a>")], "123"),
        ([("from", "<sip:+123456789012345@a>")], "+123456789012345"),
        ([("from", "<sip:+1234567890123456@a>")], ""), ([("from", f"<sip:{ANN}x@a>")], ""),
    ],
)  # fmt: skip
def test_who_calls_is_who_the_carrier_asserts_it_is(
    headers: list[tuple[str, str]], caller: str
) -> None:
    asked = firsts.question(request("INVITE", *headers), ACME)
    assert asked == {"CarrierName": "acme", "Caller": caller, "Called": PROXY}


@pytest.mark.parametrize(
    ("uri", "party", "to", "called"),
    [
        (f"sip:{PROXY}@a", f"<sip:{ANN}@a>", f"<sip:{BEN}@a>", PROXY),
        ("sip:trunk7@a", f"<sip:{ANN}@a>", f"<sip:{BEN}@a>", ANN),
        ("sip:a", "", f"<sip:{BEN}@a>", BEN),
    ],
)
def test_which_number_was_dialled(uri: str, party: str, to: str, called: str) -> None:
    headers = [("p-called-party-id", party), ("to", to), ("from", f"<sip:{ANN}@a>")]
    assert firsts.question(request("INVITE", *headers, uri=uri), ACME)["Called"] == called


def test_our_registered_name_is_who_was_dialled_where_nobody_else_is_named() -> None:
    to = [("to", f"<sip:{BEN}@a>"), ("from", f"<sip:{ANN}@a>")]
    ours = carrier(PROXY, register=True)
    assert firsts.question(request("INVITE", *to), ours)["Called"] == BEN
    assert firsts.question(request("INVITE", *to[1:]), ours)["Called"] == PROXY
    assert firsts.question(request("INVITE", *to), carrier(PROXY))["Called"] == PROXY


def test_a_call_tells_what_its_caller_hears_and_how_it_came() -> None:
    invite = request("INVITE", ("to", f"<sip:{BEN}@a>"))
    plain = firsts.about_call(invite, ACME, "udp", silent=False)
    assert (plain.get("Plain"), plain.get("Silent")) == (True, None)
    for transport in ("tls", "wss"):
        told = firsts.about_call(invite, ACME, transport, silent=True)
        assert (told.get("Plain"), told.get("Silent")) == (None, True)


def test_without_a_number_there_is_nobody() -> None:
    with pytest.raises(Refuse) as refused:
        firsts.question(request("INVITE", ("to", "<sip:12@a>"), uri="sip:x@a"), ACME)
    assert refused.value.status == 404


# What a header may hold, and a leg: no line ends.
texts = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=5)
some = st.lists(texts.filter(bool), max_size=3).map(tuple)
legs = st.builds(mask.Leg, *[texts] * mask.ROUTES, some, *[texts] * 6)


@given(
    st.builds(
        kept.Kept,
        st.builds(mask.Passage, texts, legs, legs),
        st.builds(mask.Asked, some, texts, texts, some, texts, texts),
        texts, st.booleans(), *[texts] * 5,
    )
)  # fmt: skip
def test_what_is_kept_is_read_as_it_was(known: kept.Kept) -> None:
    assert kept.read(known.text()) == known


LEG = mask.Leg("ref", mask.CALLED, "c", "t", "<sip:o>", "<sip:p>", "sip:t", ("<sip:r>",))
INVITE = request(
    "INVITE", ("via", "SIP/2.0/UDP a"), ("via", "SIP/2.0/UDP b"), ("from", "<sip:f>;tag=f"),
    ("to", "<sip:t>"), ("cseq", "7 INVITE"), ("record-route", "<sip:p;lr>"),
)  # fmt: skip


@pytest.mark.parametrize(("tag", "routes"), [("", ("<sip:p;lr>",)), ("t", ())])
def test_what_is_kept_of_a_request(tag: str, routes: tuple[str, ...]) -> None:
    """A route set is told in the replies that make a dialog alone."""
    passage = mask.Passage("a", LEG, LEG._replace(tag=tag))
    known = kept.of(passage, INVITE, "192.0.2.1:5060")
    vias = ("SIP/2.0/UDP a", "SIP/2.0/UDP b")
    assert known.asked == mask.Asked(
        vias, "<sip:f>;tag=f", "<sip:t>", routes, "192.0.2.1:5060", "7 INVITE"
    )
    assert (known.passage, known.method, known.offered) == (passage, "INVITE", False)
    assert known.first is (tag == "")
    assert not known._replace(method="UPDATE").first


def test_a_leg_is_sealed_again_when_it_is_another() -> None:
    keys = mask.Keyring({"a": bytes(64), "b": bytes(range(64))}, "b")
    known = kept.of(mask.Passage("a", LEG, LEG), INVITE, "").knowing(LEG, "before")
    assert known.seal(keys, LEG) == "before"
    for changed in (
        LEG._replace(tag="x"), LEG._replace(target="x"), LEG._replace(flow="x"),
        LEG._replace(routes=()),
    ):  # fmt: skip
        assert keys.open(known.seal(keys, changed)) == ("a", changed)
