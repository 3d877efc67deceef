"""The mask over generated calls, at least 200,000 messages: forked, late, repeated, folded. What
one party sends tells the other nothing, in no encoding and by no hash without a key; and every
message finds the dialog that it belongs to."""

import random
from collections.abc import Callable

import pytest
from generated_calls import Party
from secrets_told import Search, hashes

from maskline_sip import allowed, mask, places, sdp, sip

KEYS = mask.Keyring({"a": bytes(range(64)), "b": bytes(range(64, 128))}, "b")
HERE = "192.0.2.1:5060"
SHOWN, CALLED = f"sip:+19135550199@{HERE}", "sip:+14015550101@carrier.example"
SHARES, MESSAGES = 8, 25_200
METHODS = ("ACK", "BYE", "INVITE", "UPDATE", "INFO", "PRACK", "OPTIONS")
STATUSES = (180, 183, 199, 200, 200, 202, 302, 404, 407, 486, 499, 503, 603)
# The marks hold digits that no token of ours has.
FIRST = Search([b"S1CA8", b"12065550100", b"198.51.100.11"])
OTHER = Search([b"S1CB9", b"14015550101", b"203.0.113.12"])


def relayed(party: Party) -> allowed.Body:
    """What is left of a description when the media engine has put its address in."""
    description = places.unplaced(sdp.read(party.description().encode()))
    description.address = "IP4 192.0.2.1"
    for stream in description.streams:
        stream.address = ""
        if stream.port and stream.tunnelled:
            stream.profile = "RTP/AVP"
    return allowed.Body("application/sdp", sdp.write(description, 1, 2))


class Call:
    """One call between two parties, and the messages that it took."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.caller = Party("S1CA8", "+12065550100", "198.51.100.11", self.chance)
        self.called = Party("S1CB9", "+14015550101", "203.0.113.12", self.chance)
        self.messages = 0

    def tells(self, search: Search, sender: Party, payload: bytes) -> None:
        self.messages += 1
        guessable = [h for word in sender.own[-4:] for h in hashes(word.encode())]
        assert not search.finds(payload, guessable), payload

    def invite(self) -> tuple[sip.Message, mask.Passage, sip.Message]:
        one = self.caller
        headers = [
            *(("Via", via) for via in one.vias()),
            ("From", f"{one.address()};tag={one.identifier()}"),
            ("To", f"<sip:+19135550199@{HERE}>"),
            ("Call-ID", f"{one.identifier()}@{one.host}"),
            ("CSeq", f"{self.chance.randint(1, 2**31)} INVITE"),
            ("Contact", one.contact()),
            *(("Record-Route", one.route()) for _ in range(self.chance.randint(0, 3))),
            *one.extras(),
        ]
        late = self.chance.random() < 0.3
        text = "" if late else one.description()
        raw = one.written(f"INVITE sip:+19135550199@{HERE} SIP/2.0", headers, text)
        request = sip.parse(raw)
        passage = mask.first_passage(KEYS, request, mask.Call("c7c1f1f0", SHOWN, CALLED))
        body = allowed.NO_BODY if late else relayed(one)
        payload = mask.request_payload(KEYS, passage, request, HERE, body)
        self.tells(FIRST, one, payload)
        return request, passage, sip.parse(payload.replace(b"\r\n", b"\r\nVia: x\r\n", 1))

    def reply(
        self,
        asker: Party,
        answerer: Party,
        request: sip.Message,
        passage: mask.Passage,
        seen: sip.Message,
        status: int,
        tag: str,
    ) -> tuple[sip.Message, sip.Message]:
        """A reply as its sender writes it and as the other party gets it."""
        to = seen.first("to") if seen.address("to").tag else f"{seen.first('to')};tag={tag}"
        headers = [
            *(("Via", via) for via in answerer.vias()), ("From", seen.first("from")), ("To", to),
            ("Call-ID", seen.call_id), ("CSeq", seen.first("cseq")),
            ("Contact", answerer.contact()),
            *(("Record-Route", answerer.route()) for _ in range(self.chance.randint(0, 2))),
            *answerer.extras(),
        ]  # fmt: skip
        start = f"SIP/2.0 {status} {answerer.word()}"
        raw = answerer.written(start, headers, answerer.description())
        answer = sip.parse(raw)
        asked = mask.Asked(
            request.all("via"), request.first("from"), request.first("to"),
            request.all("record-route"), HERE, request.first("cseq"),
        )  # fmt: skip
        payload = mask.reply_payload(KEYS, passage, asked, answer, relayed(answerer))
        self.tells(OTHER if answerer is self.called else FIRST, answerer, payload)
        return answer, sip.parse(payload)

    def within(
        self, sender: Party, receiver: Party, mine: mask.Leg, peer_tag: str, token: str,
        expected: mask.Leg,
    ) -> None:  # fmt: skip
        """A request of one party within the dialog, and its answer."""
        method = self.chance.choice(METHODS)
        to = f"{mine.peer};tag={peer_tag}"
        headers = [
            *(("Via", via) for via in sender.vias()), ("From", f"{mine.own};tag={mine.tag}"),
            ("To", to), ("Call-ID", mine.call_id),
            ("CSeq", f"{self.chance.randint(1, 2**31)} {method}"), ("Contact", sender.contact()),
            *sender.extras(),
        ]  # fmt: skip
        request = sip.parse(sender.written(f"{method} {token} SIP/2.0", headers))
        passage = mask.dialog_passage(KEYS, request)
        assert passage is not None
        assert passage.far == expected
        payload = mask.request_payload(KEYS, passage, request, HERE, allowed.NO_BODY)
        self.tells(FIRST if sender is self.caller else OTHER, sender, payload)
        seen = sip.parse(payload.replace(b"\r\n", b"\r\nVia: x\r\n", 1))
        assert seen.uri == expected.target
        assert (seen.call_id, seen.address("to").tag) == (expected.call_id, expected.tag)
        self.reply(sender, receiver, request, passage, seen, self.chance.choice(STATUSES), "none")

    def play(self) -> list[tuple[str, sip.Message]]:
        """The whole call; gives the tokens that the caller was given, with its INVITE."""
        request, passage, seen = self.invite()
        tokens = []
        for _ in range(self.chance.randint(1, 3)):
            tag = self.called.identifier()
            for status in self.chance.choices(STATUSES, k=self.chance.randint(1, 2)):
                answer, got = self.reply(
                    self.caller, self.called, request, passage, seen, status, tag
                )
            if not got.listed("contact"):
                continue
            far = mask.answered_leg(passage, answer)
            token, peer_tag = sip.address(got.listed("contact")[0]).uri, got.address("to").tag
            tokens.append((token, got))
            back = sip.address(seen.first("contact")).uri
            for _ in range(self.chance.randint(0, 3)):
                self.within(self.caller, self.called, passage.near, peer_tag, token, far)
                own_tag = seen.address("from").tag
                self.within(self.called, self.caller, far, own_tag, back, passage.near)
        return tokens


@pytest.mark.parametrize("share", range(SHARES))
def test_nothing_is_told_and_everything_finds_its_way(
    share: int, record_property: Callable[[str, object], None]
) -> None:
    seed, messages = share * 1_000_000, 0
    strangers: list[tuple[str, sip.Message]] = []
    while messages < MESSAGES:
        call = Call(seed)
        tokens = call.play()
        messages, seed = messages + call.messages, seed + 1
        for (token, _), (_, stranger) in zip(tokens, strangers, strict=False):
            replayed = [
                ("Via", "x"), ("From", stranger.first("from")), ("To", stranger.first("to")),
                ("Call-ID", stranger.call_id), ("CSeq", "9 BYE"),
            ]  # fmt: skip
            bye = sip.parse(sip.write(f"BYE {token} SIP/2.0", replayed))
            assert mask.dialog_passage(KEYS, bye) is None
        strangers = tokens
    record_property("messages", messages)
    record_property("places", FIRST.places + OTHER.places)
    print(f"{messages} messages, {FIRST.places + OTHER.places} places looked at")
