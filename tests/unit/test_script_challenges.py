"""Which challenges are answered, of one reply and of several, and how often."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fake_kamailio import loaded

from maskline_sip import sip
from maskline_sip.digest import Account, parameters, response

CARRIER = SimpleNamespace(account=Account("us", "secret"))
BODY = b"v=0"
URI = "sip:+14015550101@acme.example"
SERVER, PROXY = "Authorization", "Proxy-Authorization"
NAMES = {SERVER: "WWW-Authenticate", PROXY: "Proxy-Authenticate"}
Asked = tuple[str, str]


class Kamailio:
    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.pv = SimpleNamespace(get=self.told.get, sets=self.told.__setitem__)


@pytest.fixture
def challenges() -> ModuleType:
    return loaded("challenges", Kamailio())


def ask(challenges: ModuleType, status: int, *asked: Asked) -> list[tuple[str, dict[str, str]]]:
    """What is answered to a reply with these challenges; every answer is right."""
    head = (
        f"SIP/2.0 {status} X", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:a@h>;tag=1",
        "To: <sip:a@h>;tag=2", "Call-ID: x", "CSeq: 1 INVITE", "Content-Length: 0",
        *(f"{NAMES[name]}: Digest {text}" for name, text in asked),
    )  # fmt: skip
    challenges.remember(sip.parse("\r\n".join((*head, "", "")).encode("latin-1")))
    challenges.KSR.told["$T_reply_code"] = status
    told = challenges.authorization(CARRIER, "INVITE", URI)
    read = [(name, parameters(text)) for name, text in (told.headers(BODY) if told else [])]
    for _, given in read:
        assert given["response"] == response(given, "secret", "INVITE", BODY)
    return read


def nonces(told: list[tuple[str, dict[str, str]]]) -> list[Asked]:
    return [(name, given["nonce"]) for name, given in told]


def test_a_forking_proxy_asks_for_all(challenges: ModuleType) -> None:
    """RFC 3261 16.7, 22.3: a reply may hold what several want, of both kinds."""
    told = ask(
        challenges, 401, (SERVER, 'realm="a", nonce="1"'), (PROXY, 'realm="a", nonce="2"'),
        (SERVER, 'realm="b", nonce="3"'), (SERVER, 'realm="a", nonce="4", algorithm=SHA-256'),
    )  # fmt: skip
    assert nonces(told) == [(SERVER, "4"), (SERVER, "3"), (PROXY, "2")]


def test_what_was_answered_before_is_answered_with_it(challenges: ModuleType) -> None:
    ask(challenges, 407, (PROXY, 'realm="a", nonce="1", qop="auth"'))
    told = ask(challenges, 401, (SERVER, 'realm="a", nonce="2", qop="auth"'))
    assert [(name, one["nonce"], one["nc"]) for name, one in told] == [
        (PROXY, "1", "00000002"), (SERVER, "2", "00000001"),
    ]  # fmt: skip


def test_a_session_has_one_nonce_of_ours(challenges: ModuleType) -> None:
    """RFC 7616 3.4.2: its secret is made of the first one."""
    first = ask(challenges, 407, (PROXY, 'realm="a", nonce="1", qop="auth", algorithm=MD5-sess'))
    again = ask(challenges, 401, (SERVER, 'realm="a", nonce="2", qop="auth-int"'))
    assert len({one["cnonce"] for _, one in (*first, *again)}) == 1
    challenges.forget()
    anew = ask(challenges, 401, (SERVER, 'realm="a", nonce="2", qop="auth-int"'))
    assert anew[0][1]["cnonce"] != first[0][1]["cnonce"]


def test_the_same_again_is_a_wrong_password(challenges: ModuleType) -> None:
    assert ask(challenges, 407, (PROXY, 'realm="a", nonce="1"'))
    for more in ("", ", stale=false", ', stale="no"'):
        assert ask(challenges, 407, (PROXY, f'realm="a", nonce="2"{more}')) == []


@pytest.mark.parametrize("stale", ["true", '"True"', "TRUE"])
def test_a_nonce_that_was_too_old_is_replaced_twice(challenges: ModuleType, stale: str) -> None:
    for nonce in "123":
        asked = (PROXY, f'realm="a", nonce="{nonce}", stale={stale}')
        assert nonces(ask(challenges, 407, asked)) == [(PROXY, nonce)]
    assert ask(challenges, 407, (PROXY, f'realm="a", nonce="4", stale={stale}')) == []


def test_the_next_place_is_answered_anew(challenges: ModuleType) -> None:
    for _ in range(2):
        asked = (PROXY, 'realm="a", nonce="1", qop="auth"')
        assert ask(challenges, 407, asked)[0][1]["nc"] == "00000001"
        challenges.forget()
    challenges.KSR.told["$T_reply_code"] = 407  # whose challenge could not be read
    assert challenges.authorization(CARRIER, "INVITE", URI) is None


def test_no_more_than_four_realms_are_answered(challenges: ModuleType) -> None:
    realms = [(PROXY, f'realm="{name}", nonce="1"') for name in "abcde"]
    assert len(ask(challenges, 407, *realms[:4])) == 4
    assert ask(challenges, 407, realms[4]) == []


def test_what_is_no_challenge_and_what_is_another_status(challenges: ModuleType) -> None:
    assert ask(challenges, 407, (PROXY, 'realm="a"')) == []
    assert ask(challenges, 403, (PROXY, 'realm="a", nonce="1"')) == []
    CARRIER.account, account = None, CARRIER.account
    assert ask(challenges, 401, (SERVER, 'realm="a", nonce="1"')) == []
    CARRIER.account = account
