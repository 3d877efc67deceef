"""Bodies: what of them may pass, and every description by way of the media engine."""

from __future__ import annotations

import hashlib
import json
import re
import time
from contextlib import suppress

import KSR

from . import allowed, mask, places, reliable, sdp, sip
from .addresses import address_of
from .engines import Engines
from .media import OFF, OPTIONAL, REQUIRED, MediaDown, Terms
from .others import Others
from .settings import Settings
from .tables import Table

KEYED = (OPTIONAL, REQUIRED)  # ways of a carrier's to encrypt by keys that descriptions tell
RECORDABLE = ("PCMA", "PCMU")  # what the recorder understands
DESCRIBED = Table("described")  # what each side of a call was told last, and under which number
# What each side of a call that has keys of its own was understood by last, for the engine tells
# none; and when we told the engine of the call last.
HELD = Table("held")
TOLD = "$avp(told)"  # to whom the latest description of the transaction at hand went
OFFERING = ("INVITE", "UPDATE", "ACK", "PRACK")
ANSWERING = ("INVITE", "UPDATE", "PRACK")
EARLY = "$(avp(early)[*])"  # answers of those who ring, by their tags; whose came last is the last
MOST_EARLY = 8
# Of a request that names another place, or other keys, for the sound: an offer of the old ones.
BACK = "$avp(back)"


class Bodies:
    def __init__(
        self, keys: mask.Keyring, media: Engines, settings: Settings, others: Others
    ) -> None:
        self._keys, self.media, self._settings = keys, media, settings
        self._others = others

    def first_offer(
        self, passage: mask.Passage, offered: sdp.Description | None, hop: str
    ) -> allowed.Body:
        """Of a call's first request, which goes to `hop`."""
        if offered is None:
            return allowed.NO_BODY
        offered = self._allowed(kept_to(offered, passage), passage.near)
        terms = self._terms(passage.near, passage.far._replace(target=hop), new=True)
        relayed = self._offered(passage.near, offered, terms)
        return self._written(relayed, passage, passage.far, offers=True)

    def _offered(self, sender: mask.Leg, given: sdp.Description, terms: Terms) -> sdp.Description:
        """What the other side is offered by this one."""
        relayed = self.media.offer(sender.reference, sender.side, given, terms)
        self._note_keys(sender, given, terms)
        return relayed

    def _note_keys(self, sender: mask.Leg, given: sdp.Description, terms: Terms) -> None:
        if terms.sender in KEYED:
            HELD.put(f"{sender.reference} {sender.side}", sdp.write(given, 1, 1).decode())
        if terms.sender in KEYED or terms.receiver in KEYED:
            HELD.put(sender.reference, str(int(time.time())))

    def _held(self, sender: mask.Leg, terms: Terms) -> sdp.Description | None:
        """None where it has no keys, or another node may know newer ones."""
        if terms.sender not in KEYED:
            return None
        call, side = sender.reference, sender.side
        text, told_at = HELD.get(f"{call} {side}"), HELD.get(call)
        if not (text and told_at) or self.media.signalled_at(call, side, terms) > int(told_at):
            return None
        return sdp.read(text.encode())

    def of_request(self, request: sip.Message, passage: mask.Passage) -> allowed.Body:
        if not request.body:
            return allowed.NO_BODY
        if request.method == "INFO":
            kind = request.first("content-type").partition(";")[0].strip().lower()
            return allowed.key_press(kind, request.body)
        given = description(request) if request.method in OFFERING else None
        if given is None:
            return allowed.NO_BODY
        given = self._allowed(kept_to(given, passage), passage.near)
        near, far = passage.near, passage.far
        terms = self._terms(near, far)
        if self._answers(request, passage, terms):
            return self._written(self._answered(near, far, given, terms), passage, far)
        heard_at = self.media.places(near.reference, near.side, terms)
        held = self._held(near, terms)
        relayed = self._offered(near, given, terms)
        back = places.moved_back(given, heard_at, held)
        if back:
            KSR.pv.sets(BACK, sdp.write(back, 1, 1).decode())
        return self._written(relayed, passage, far, offers=True)

    def move_back(self, passage: mask.Passage) -> None:
        """What the request at hand offered was refused, or could not be passed on, so the near
        party hears where it heard before (RFC 3261 14.1)."""
        near, back = passage.near, KSR.pv.get(BACK)
        if not back:
            return
        with suppress(MediaDown, sdp.Unacceptable):  # then it hears nothing until that is learnt
            self._offered(near, sdp.read(back.encode()), self._terms(near, passage.far))

    def _answers(self, request: sip.Message, passage: mask.Passage, terms: Terms) -> bool:
        """Whether a description in this request answers one, and so needs no answer: in an ACK,
        and in the PRACK of a reply that offered something (RFC 3262 5). Where that reply came by
        another node, the engine tells it: who has described nothing yet can but answer."""
        if request.method != "PRACK":
            return request.method == "ACK"
        if not self.media.knows(passage.near.reference, passage.near.side, terms):
            return True
        told = reliable.told(self._keys, passage, request)
        return told is not None and told.offers

    def of_reply(self, reply: sip.Message, passage: mask.Passage, offered: bool) -> allowed.Body:
        """`offered` tells whether the request held a description, so that this one answers it.
        Where none is asked for, an INVITE alone is answered by an offer (RFC 3261 13.2.1)."""
        expected = reply.method in ANSWERING if offered else reply.method == "INVITE"
        given = description(reply) if expected and reply.status < 300 else None
        tag = reply.address("to").tag
        reliable.note(self._keys, passage, reply, offers=given is not None and not offered)
        if given is None:
            if offered and 200 <= reply.status < 300:
                self._answer_again(passage, tag)
            return allowed.NO_BODY
        given = self._allowed(kept_to(given, passage), passage.far)
        if offered:
            relayed = self._answer(passage, given)
            if reply.status < 200:
                note_early(tag, given)
        else:
            terms = self._terms(passage.far, passage.near, new=not passage.far.tag)
            relayed = self._offered(passage.far, given, terms)
        return self._written(relayed, passage, passage.near)

    def _answer(self, passage: mask.Passage, given: sdp.Description) -> sdp.Description:
        near, far = passage.near, passage.far
        return self._answered(far, near, given, self._terms(far, near))

    def _answered(
        self, sender: mask.Leg, offerer: mask.Leg, given: sdp.Description, terms: Terms
    ) -> sdp.Description:
        """What whoever offered is answered."""
        call = sender.reference
        relayed = self.media.answer(call, offerer.side, sender.side, given, terms)
        self._note_keys(sender, given, terms)
        return relayed

    def _answer_again(self, passage: mask.Passage, tag: str) -> None:
        """Who takes a call may have answered its offer while it rang, and says no more then (RFC
        6337 3.1.1). If another one of a fork has answered since, the sound is with that one."""
        early = early_answers()
        if tag in early and tag != list(early)[-1]:
            self._answer(passage, sdp.read(early[tag].encode()))

    def _allowed(self, given: sdp.Description, sender: mask.Leg) -> sdp.Description:
        """What a party sent, if the sound that it wants may go there: not to what listens to
        commands, nor to what else is on this machine."""
        controls = {(engine.host, engine.port) for engine in self._others.engines.values()}
        for stream in given.active:
            place = given.place(stream)
            host, port = place.partition(" ")[2], stream.port
            if sdp.is_no_place(place):
                continue
            if (host, port) in controls or not self._settings.may_hear(sender.trunk, host, port):
                raise sdp.Unacceptable("a place of this machine")
        return given

    def _terms(self, sender: mask.Leg, receiver: mask.Leg, *, new: bool = False) -> Terms:
        """What holds for the sound between two legs; `new` when the engine does not know the
        receiver yet."""
        family = family_of(receiver)
        known = not new or family not in self._settings.media_families
        ours, theirs = (self._settings.marked.get(leg.trunk) for leg in (sender, receiver))
        return Terms(
            ours.srtp if ours else OFF,
            theirs.srtp if theirs else OFF,
            "" if known else family,
            tuple(ours.codecs) if ours else (),
            tuple(theirs.codecs) if theirs else (),
            new,
        )

    def halves(self, passage: mask.Passage) -> int:
        """How many calls the engine has of this one; see `media.halves`."""
        terms = self._terms(passage.near, passage.far)
        return 1 if OFF in (terms.sender, terms.receiver) else 2

    def end(self, passage: mask.Passage) -> None:
        """No sound of this call any more."""
        self.end_of(passage.near.reference, self.halves(passage))

    def end_of(self, reference: str, *halves: int) -> None:
        """The same by what the legs refer to the call by; see `media.delete`."""
        self.media.delete(reference, *halves)
        for side in (mask.CALLER, mask.CALLED):
            DESCRIBED.drop(f"{reference} {side}")
            HELD.drop(f"{reference} {side}")
        HELD.drop(reference)

    def _written(
        self,
        relayed: sdp.Description,
        passage: mask.Passage,
        receiver: mask.Leg,
        *,
        offers: bool = False,
    ) -> allowed.Body:
        """To each receiver a call's descriptions are one session's."""
        if receiver.recorded:
            relayed = places.at_one_place(relayed)
        session = int(self._keys.alias(passage.key, "sdp", receiver.call_id)[:6], 36)
        content, alone = sdp.content(relayed), not self._others.engines
        version = version_of(f"{receiver.reference} {receiver.side}", content, alone=alone)
        return allowed.Body("application/sdp", sdp.numbered(content, session, version), offers)


def version_of(name: str, content: str, *, alone: bool) -> int:
    """The number of a description for who goes by this name: that of the one before where nothing
    has changed, else the next (RFC 3264 8). Where none is known, or not any more, it is the time,
    which is more than any before; so it is, for each transaction, where we are not `alone` and
    another node may have told another one since."""
    digest = hashlib.blake2b(content.encode(), digest_size=12).hexdigest()
    number, _, last = (DESCRIBED.get(name) or "").partition(" ")
    if last == digest and (alone or KSR.pv.get(TOLD) == name):
        return int(number)
    now = int(time.time() * 1000) % 2**31
    version = int(number) + 1 if number else now
    if not alone:
        version = max(version, now)
        KSR.pv.sets(TOLD, name)
    DESCRIBED.put(name, f"{version} {digest}")
    return version


def family_of(leg: mask.Leg) -> str:
    """The version of IP of a party's place: who tells a name is where it spoke from."""
    host = sip.host(leg.target)
    if address_of(host) is None:
        host = sip.host(mask.next_hop(leg))
    return "IP6" if host.startswith("[") else "IP4"


def early_answers() -> dict[str, str]:
    """The answers in provisional replies to the INVITE of the reply at hand, by tag."""
    told = KSR.pv.get(EARLY)
    early: dict[str, str] = json.loads(told) if told else {}
    return early


def note_early(tag: str, given: sdp.Description) -> None:
    """Keeps the newest of these."""
    early, text = early_answers(), sdp.write(given, 1, 1).decode()
    if early and list(early.items())[-1] == (tag, text):
        return
    early.pop(tag, None)
    kept = dict([*early.items(), (tag, text)][-MOST_EARLY:])
    KSR.pv.sets(EARLY, json.dumps(kept))


def kept_to(given: sdp.Description, passage: mask.Passage) -> sdp.Description:
    """What a call may use of a description, at its beginning and whenever it is changed. Packets
    that are recorded tell a number alone."""
    return sdp.limited(sdp.usual(given), RECORDABLE) if passage.near.recorded else given


def description(message: sip.Message) -> sdp.Description | None:
    if not message.body:
        return None
    text = sdp.from_body(message.first("content-type"), message.body)
    return places.unplaced(sdp.read(text)) if text else None


_OPTIONAL = re.compile(r'; *handling *= *"?optional\b', re.IGNORECASE)
_DISPOSITION = re.compile(rb"(?:^|\n)content-disposition *:([^\r\n]*)", re.IGNORECASE)


def is_optional(message: sip.Message) -> bool:
    """Whether a body need not be understood (RFC 3261 8.2.3), as that of a telephone network's own
    signalling need not (RFC 3204)."""
    if _OPTIONAL.search(message.first("content-disposition")):
        return True
    heads = [head for head, _ in sdp.parts(message.first("content-type"), message.body)]
    told = [_DISPOSITION.search(head) for head in heads]
    return bool(told) and all(one and _OPTIONAL.search(one[1].decode("latin-1")) for one in told)
