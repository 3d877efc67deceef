"""Digest authentication, against the examples of the RFCs and against itself."""

import hashlib
import re
from hashlib import md5

import pytest
from credentials import answer

from maskline_sip.digest import (
    ALGORITHMS,
    OFFERED,
    SESSION,
    Account,
    Guard,
    Stale,
    parameters,
    response,
)

# RFC 7616 3.9.1; RFC 2069's own example has no qop.
MUFASA = {
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}
EXPECTED = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}
ANN = Account("ann", 'pass"word')
TO = "sip:+12065550100@192.0.2.9:5060"
GUARD = Guard(b"key", {"acme": ANN})


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_examples_of_rfc_7616(name: str) -> None:
    fields = {**MUFASA, "algorithm": name}
    assert response(fields, "Circle of Life", "GET") == EXPECTED[name]


def test_the_example_of_the_longest_hash() -> None:
    """RFC 7616 3.9.2, with the response of its erratum 4897."""
    given = {
        "username": "Jäsøn Doe".encode().decode("latin-1"),
        "realm": "api@example.org",
        "uri": "/doe.json",
        "nonce": "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "nc": "00000001",
        "cnonce": "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        "qop": "auth",
        "algorithm": "SHA-512-256",
    }
    wanted = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert response(given, "Secret, or not?", "GET") == wanted


# RFC 7616 3.4.2 and 3.4.3 word by word: what is hashed of a name, and of a request and its body.
BY_HAND = {
    "MD5": ("md5", "auth", "ann:r:secret", "INVITE:sip:b@h"),
    "MD5-sess": ("md5", "auth", "{ann:r:secret}:n:mine", "INVITE:sip:b@h"),
    "SHA-256": ("sha256", "auth-int", "ann:r:secret", "INVITE:sip:b@h:{v=0}"),
    "SHA-512-256-sess": (
        "sha512_256", "auth-int", "{ann:r:secret}:n:mine", "INVITE:sip:b@h:{v=0}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_sessions_and_bodies_are_proven(name: str) -> None:
    kind, qop, secret, request = BY_HAND[name]

    def hashed(text: str) -> str:
        inner = re.sub(r"\{(.*?)\}", lambda one: hashed(one[1]), text)
        return hashlib.new(kind, inner.encode()).hexdigest()

    asked = f'Digest realm="r", nonce="n", algorithm={name}, qop="{qop}"'
    account = Account("ann", "secret")
    told = answer([asked], account, "INVITE", "sip:b@h", body=b"v=0", client="mine", count=2)
    read = parameters(told or "")
    assert (read["algorithm"], read["qop"]) == (name, qop)
    middle = f"n:00000002:mine:{qop}"
    assert read["response"] == hashed(f"{hashed(secret)}:{middle}:{hashed(request)}")


def test_a_session_has_our_nonce_also_without_qop() -> None:
    """RFC 2617 3.2.2.2: the secret is made of it."""
    told = answer(['Digest realm="r", nonce="n", algorithm=md5-SESS'], ANN, "BYE", TO, client="c")
    read = parameters(told or "")
    assert (read["cnonce"], read["algorithm"]) == ("c", "MD5-sess")
    assert "nc" not in read


def test_of_what_can_be_answered_the_strongest_is() -> None:
    """RFC 8760 2.2; whoever passes a request on may change its body, so it is proven if it must."""
    for place, name in enumerate(ALGORITHMS):
        challenges = [
            f'Digest realm="r", nonce="{n}", algorithm={n}, qop="auth-int,auth"'
            for n in reversed(ALGORITHMS[place:])
        ]
        read = parameters(answer(challenges, ANN, "INVITE", TO) or "")
        assert (read["nonce"], read["qop"]) == (name, "auth")
    assert [name for name in ALGORITHMS if not name.endswith(SESSION)] == [
        "SHA-512-256", "SHA-256", "MD5"
    ]  # fmt: skip


def test_without_qop_as_of_old() -> None:
    """RFC 2617 3.2.2.1, of RFC 3261 22.4: without qop the client's nonce is left out."""
    given = 'Digest realm="atlanta.com", nonce="84a4cc6f3082121f32b42a2187831a9e"'
    account = Account("alice", "zanzibar")
    told = answer([given], account, "REGISTER", "sip:ss2.biloxi.com")
    assert told is not None
    assert parameters(told)["response"] == response(
        {"username": "alice", "realm": "atlanta.com", "uri": "sip:ss2.biloxi.com",
         "nonce": "84a4cc6f3082121f32b42a2187831a9e"},
        "zanzibar", "REGISTER",
    )  # fmt: skip
    assert "cnonce" not in parameters(told)


def test_names_may_have_any_letters() -> None:
    """A server hashes the octets that it wrote, UTF-8 as a rule (RFC 7616 4)."""

    def octets(text: str) -> str:
        return text.encode().decode("latin-1")

    asked = octets('Digest realm="Zürich", nonce="1"')
    told = answer([asked], Account(octets("zoë"), octets("пароль")), "INVITE", "sip:b@h")
    assert told is not None
    assert octets('username="zoë", realm="Zürich"') in told
    secret, request = (
        md5(text.encode()).hexdigest() for text in ("zoë:Zürich:пароль", "INVITE:sip:b@h")
    )
    assert parameters(told)["response"] == md5(f"{secret}:1:{request}".encode()).hexdigest()


def test_the_strongest_challenge_is_answered() -> None:
    challenges = [
        'Digest realm="r", nonce="1", algorithm=MD5, qop="auth"',
        'Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth-int, auth", opaque="o"',
        'Digest realm="r", nonce="3", algorithm=SHA-512',
        'Bearer realm="r"',
    ]
    told = answer(challenges, ANN, "INVITE", "sip:b@h")
    assert told is not None
    read = parameters(told)
    assert (read["algorithm"], read["nonce"], read["opaque"]) == ("SHA-256", "2", "o")
    assert answer(challenges[2:], ANN, "INVITE", "sip:b@h") is None


def test_a_challenge_that_we_cannot_answer_leaves_another_to_be_answered() -> None:
    """RFC 7616 3.4: a kind that we do not have; without qop a server would not take it."""
    challenges = [
        'Digest realm="r", nonce="1", algorithm=SHA-256, qop="auth-conf"',
        'Digest realm="r", nonce="2", algorithm=MD5, qop="auth-int,auth"',
        'Digest realm="r", nonce="3", algorithm=SHA3-256, qop="auth"',
    ]
    told = answer(challenges, ANN, "INVITE", "sip:b@h")
    assert told is not None
    assert parameters(told)["nonce"] == "2"
    assert answer([challenges[0], challenges[2]], ANN, "INVITE", "sip:b@h") is None


def test_an_empty_qop_is_none() -> None:
    told = answer(['Digest realm="r", nonce="1", qop=""'], ANN, "INVITE", "sip:b@h")
    assert told is not None
    assert "qop" not in parameters(told)


def test_a_realm_that_is_not_the_accounts_is_not_answered() -> None:
    others, ours = ('Digest realm="r", nonce="1"', 'Digest realm="acme", nonce="2"')
    account = Account("ann", "secret", "acme")
    told = answer([others, ours], account, "INVITE", "sip:b@h")
    assert told is not None
    assert parameters(told)["nonce"] == "2"
    assert answer([others], account, "INVITE", "sip:b@h") is None
    assert answer([others], Account("ann", "secret"), "INVITE", "sip:b@h") is not None


@pytest.mark.parametrize("algorithm", sorted(OFFERED))
def test_who_knows_the_password_comes_in(algorithm: str) -> None:
    challenges = [c for c in GUARD.challenges("192.0.2.1", 1000) if f"={algorithm}," in c]
    told = answer(challenges, ANN, "INVITE", TO)
    assert told is not None
    assert GUARD.check(told, "INVITE", TO, "192.0.2.1", 1050) == "acme"
    assert GUARD.check(told, "BYE", TO, "192.0.2.1", 1050) is None
    assert GUARD.check(told, "INVITE", TO, "192.0.2.2", 1050) is None
    with pytest.raises(Stale):
        GUARD.check(told, "INVITE", TO, "192.0.2.1", 2000)


@pytest.mark.parametrize(
    "change",
    [
        ("username", "bob"), ("response", "0" * 32), ("nonce", "1000-00"), ("nonce", ""),
        ("realm", "other"), ("algorithm", "SHA-512"), ("qop", "auth-int"), ("cnonce", ""),
        ("response", "\xe9"), ("nonce", "1000-\xe9"), ("nonce", "\xb2-00"), ("cnonce", "\xe9"),
        ("nonce", "9" * 5000 + "-00"),
    ],
)  # fmt: skip
def test_anybody_else_does_not(change: tuple[str, str]) -> None:
    told = answer(GUARD.challenges("192.0.2.1", 1000), ANN, "INVITE", TO)
    assert told is not None
    name, text = change
    wrong = re.sub(rf'(?<=[ ,]){name}="?[^",]*"?', f'{name}="{text}"', told)
    assert wrong != told
    assert GUARD.check(wrong, "INVITE", TO, "192.0.2.1", 1000) is None
    assert GUARD.check("Basic abc", "INVITE", TO, "192.0.2.1", 1000) is None


def signed(**changes: str | None) -> str:
    """Credentials with a right response, whatever else they tell; None leaves a field out."""
    (nonce,) = {parameters(one)["nonce"] for one in GUARD.challenges("192.0.2.1", 1000)}
    right = {"username": "ann", "realm": "maskline", "nonce": nonce, "uri": TO, "qop": "auth",
             "nc": "1", "cnonce": "c", "algorithm": "MD5"}  # fmt: skip
    fields = {name: text for name, text in {**right, **changes}.items() if text is not None}
    told = {"realm": "", "uri": "", "nonce": "", "nc": "", "cnonce": "", **fields}
    known = told if told.get("algorithm") in ALGORITHMS else told | {"algorithm": "MD5"}
    told = {"response": response(known, ANN.password, "INVITE"), **fields}
    return "Digest " + ", ".join(f'{name}="{text}"' for name, text in told.items() if text)


@pytest.mark.parametrize(
    "changes",
    [{name: text} for name in ("realm", "nonce", "uri", "nc", "cnonce", "response")
     for text in (None, "")]
    + [{"qop": None}, {"qop": "auth-int"}, {"realm": "other"}, {"algorithm": "SHA-512"},
       {"algorithm": "SHA-512-256"}, {"algorithm": "MD5-sess"},
       {"username": "bob"}, {"uri": "sip:+12065550101@h"}, {"nonce": "1000-0"}],
)  # fmt: skip
def test_a_right_response_to_something_else_lets_nobody_in(changes: dict[str, str | None]) -> None:
    assert GUARD.check(signed(), "INVITE", TO, "192.0.2.1", 1000) == "acme"
    wrong = signed(**changes)
    if "response" in changes:
        wrong = re.sub(
            r'response="\w+", ', 'response="", ' if changes["response"] == "" else "", wrong
        )
    assert GUARD.check(wrong, "INVITE", TO, "192.0.2.1", 1000) is None


def test_credentials_may_be_written_otherwise() -> None:
    for written in (
        signed(algorithm="md5"), signed(algorithm=None), signed().replace("Digest", " DIGEST"),
        signed().replace("username", "UserName").replace(", ", " ,\t"),
        re.sub('response="(.*?)"', lambda one: one[0].upper(), signed()),
    ):  # fmt: skip
        assert GUARD.check(written, "INVITE", TO, "192.0.2.1", 1000) == "acme"


def test_a_challenge_is_good_for_two_minutes_and_not_before_it_is_given() -> None:
    assert GUARD.check(signed(), "INVITE", TO, "192.0.2.1", 1120) == "acme"
    for late in (1121, 999):
        with pytest.raises(Stale):
            GUARD.check(signed(), "INVITE", TO, "192.0.2.1", late)
    assert not any("stale" in one for one in GUARD.challenges("192.0.2.1", 1000))
    again = GUARD.challenges("192.0.2.1", 1000, stale=True)
    assert [parameters(one)["stale"] for one in again] == ["true"] * len(OFFERED)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'a="x\"y\\", B=z', {"a": 'x"y\\', "b": "z"}),
        ('a = "" , b="1,c=2"', {"a": "", "b": "1,c=2"}),
        ("a=1,a-b=2 c=3", {"a": "1", "a-b": "2", "c": "3"}),
        ("a=1; b_1=2,, c=, d=3", {"a": "1;", "b_1": "2", "c": "", "d": "3"}),
        # What stands in a text without an end is none; to look for some there would take long.
        (r'a=1, b="c=2, d=3', {"a": "1"}), (r'b="\ ' * 1000, {}),
        ("a=" + "x" * 4094, {"a": "x" * 4094}), ("a=" + "x" * 4095, {}),
    ],
)  # fmt: skip
def test_the_parameters_of_a_header(written: str, read: dict[str, str]) -> None:
    assert parameters(f"Digest {written}") == parameters(f" digest {written} ") == read
    assert parameters(f"Basic {written}") == {}


def test_what_is_answered_is_told_back() -> None:
    realm = r"a \"b\" \\c"
    told = answer(
        [f'Digest realm="{realm}", nonce="n", algorithm=md5, qop="auth-int , auth"'],
        ANN,
        "BYE",
        TO,
        client="mine",
    )
    assert told is not None
    assert f'realm="{realm}"' in told
    read = parameters(told)
    assert (read["realm"], read["qop"], read["cnonce"]) == (r'a "b" \c', "auth", "mine")
    assert "opaque" not in read
    assert read["response"] == response(read, ANN.password, "BYE")
    chosen = {
        parameters(answer(['Digest nonce="n", qop="auth"'], ANN, "BYE", TO) or "")["cnonce"]
        for _ in range(2)
    }
    assert len(chosen) == 2
    assert all(len(one) == 16 for one in chosen)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        (TO, "acme"), ("SIP:+12065550100@Host.Example;transport=tcp", "acme"),
        ("sips:%2B12065550100;npdi@192.0.2.9", "acme"), ("tel:+1-206-555-0100", "acme"),
        ("sip:+12065550101@192.0.2.9:5060", None), ("sip:192.0.2.9:5060", None), ("tel:+1", None),
        ("sip:900441632960000@192.0.2.9", None), ("sip:+12065550100", None),
    ],
)  # fmt: skip
def test_credentials_for_one_number_are_none_for_another(uri: str, name: str | None) -> None:
    """RFC 7616 3.4.6. How the number and our host are written is a matter of who passed it on."""
    told = answer(GUARD.challenges("192.0.2.1", 1000), ANN, "INVITE", TO)
    assert told is not None
    assert GUARD.check(told, "INVITE", uri, "192.0.2.1", 1000) == name
    with pytest.raises(Stale):
        GUARD.check(told, "INVITE", TO, "192.0.2.1", 2000)
