"""Texts through the whole service: over Twilio's API, over a described one, over SIP MESSAGE, and
from one to another. The providers are real HTTP and SIP peers on the loopback."""

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from acceptance.service import free_port, running, until
from acceptance.sip_peer import sip_peer
from acceptance.text_stage import (
    BY_GENERIC,
    BY_SIP,
    BY_TWILIO,
    MIXED,
    MIXED_SMPP,
    TRUNK_HOST,
    Stage,
    carriers,
    picture,
    running_smsc,
    staged,
)
from cluster import Cluster
from fake_twilio import fake_twilio
from PIL import Image


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    yield from staged(tmp_path_factory.mktemp("texts"))


@pytest.fixture
def own_stage(tmp_path: Path) -> Iterator[Stage]:
    yield from staged(tmp_path)


# -- Twilio


def test_a_text_over_twilio_arrives_and_its_receipt_comes_back(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    assert stage.session("tw", ann, ben) == {ann: BY_TWILIO, ben: BY_TWILIO}
    assert stage.by_twilio(ann, BY_TWILIO, "Grüße, Ben! 😀", "SMin1") == 200
    sent = stage.twilio_sent(ben)
    assert (sent["From"], sent["Body"]) == (BY_TWILIO, "Grüße, Ben! 😀")
    until(lambda: stage.record(ann)["State"] == "Accepted")
    fields = {
        "MessageSid": f"SM{len(stage.twilio.sent):032x}", "MessageStatus": "delivered",
        "From": BY_TWILIO, "To": ben,
    }  # fmt: skip
    assert stage.twilio.deliver(sent["StatusCallback"], fields)[0] == 204
    until(lambda: stage.record(ann)["State"] == "Delivered")
    assert stage.by_twilio(ben, BY_TWILIO, "And back", "SMin2") == 200
    assert stage.twilio_sent(ann)["Body"] == "And back"


def test_a_callback_that_is_repeated_is_sent_once(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("tw", ann, ben)
    for _ in range(3):
        assert stage.by_twilio(ann, BY_TWILIO, "Once", "SMrepeated") == 200
    assert stage.by_twilio(ann, BY_TWILIO, "Last", "SMlast") == 200
    until(lambda: len([f for f in stage.twilio.sent if f["To"] == [ben]]) == 2, 30)
    assert [f["Body"][0] for f in stage.twilio.sent if f["To"] == [ben]] == ["Once", "Last"]


def test_a_busy_provider_gets_the_text_later_and_a_refusal_is_recorded(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("tw", ann, ben)
    stage.twilio.answers += [(429, {"code": 20429}, {"Retry-After": "1"})]
    assert stage.by_twilio(ann, BY_TWILIO, "Later", "SMbusy") == 200
    assert stage.twilio_sent(ben)["Body"] == "Later"
    stage.twilio.answers += [(400, {"code": 21610}, {})]
    assert stage.by_twilio(ben, BY_TWILIO, "Never", "SMrefused") == 200
    record = until(lambda: (found := stage.record(ben))["State"] == "Failed" and found, 30)
    assert (record["Reason"], record["Error"]) == ("opted-out", "21610")


def test_a_receipt_finds_the_text_whose_answer_was_lost(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("tw", ann, ben)
    stage.twilio.answers += [(500, {}, {})]
    assert stage.by_twilio(ann, BY_TWILIO, "Lost?", "SMlost") == 200
    until(lambda: stage.record(ann)["State"] == "InDoubt", 30)
    asked = [each for each in stage.twilio.asked if ben[1:].encode() in each]
    fields = parse_qs(asked[0].rpartition(b"\n")[2].decode())
    told = {"MessageSid": "SMnew", "MessageStatus": "delivered", "From": BY_TWILIO, "To": ben}
    assert stage.twilio.deliver(fields["StatusCallback"][0], told)[0] == 204
    until(lambda: stage.record(ann)["State"] == "Delivered", 30)


def test_who_cannot_sign_texts_nobody(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("tw", ann, ben)
    fields = {"MessageSid": "SMforged", "From": ann, "To": BY_TWILIO, "Body": "forged"}
    url = f"{stage.service.url}/carriers/tw/messages"
    assert stage.twilio.deliver(url, fields, token="guess")[0] == 403
    listed = stage.service.messages()
    assert ann not in {each["SourcePhoneNumber"] for each in listed}


def test_a_text_to_nobody_is_recorded_and_the_provider_is_thanked(stage: Stage) -> None:
    stranger = stage.person()
    assert stage.by_twilio(stranger, BY_TWILIO, "Hello?", "SMstranger") == 200
    assert stage.record(stranger)["State"] == "Refused"


def test_a_text_that_comes_to_the_address_of_statuses_arrives(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("tw", ann, ben)
    fields = {"MessageSid": "SMastray", "SmsStatus": "received", "From": ann, "To": BY_TWILIO}
    url = f"{stage.service.url}/carriers/tw/status"
    assert stage.twilio.deliver(url, {**fields, "Body": "Hello"})[0] == 200
    assert stage.twilio_sent(ben)["Body"] == "Hello"


def test_a_text_to_a_group_reaches_nobody(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("tw", ann, ben)
    others = {"OtherRecipients0": stage.person()}
    assert stage.by_twilio(ann, BY_TWILIO, "To all of you", "SMgroup", **others) == 200
    record = stage.record(ann)
    assert (record["State"], record["Reason"]) == ("Refused", "group")


# -- a described provider


def test_a_text_over_a_described_provider_arrives_and_its_receipt_comes_back(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("gen", ann, ben)
    text = {"type": "in", "id": "g1", "from": ann, "to": BY_GENERIC, "text": "Hi & hé 😀"}
    assert stage.by_generic("messages", text) == 200
    sent = stage.twilio_sent(ben)
    assert (sent["From"], sent["Body"]) == (BY_GENERIC, "Hi & hé 😀")
    until(lambda: stage.record(ann)["State"] == "Accepted")
    report = {"type": "report", "id": f"SM{len(stage.twilio.sent):032x}", "state": "done"}
    assert stage.by_generic("status", report) == 200
    until(lambda: stage.record(ann)["State"] == "Delivered")
    assert stage.by_generic("messages", text | {"id": "g2"}, **{"X-Signature": "0" * 64}) == 403


def test_stop_is_heeded_though_something_came_with_it(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("gen", ann, ben)
    stage.twilio.media["/card"] = ("text/vcard", b"BEGIN:VCARD\r\nFN:Ann\r\nEND:VCARD")
    text = {"type": "in", "id": "g3", "from": ann, "to": BY_GENERIC, "text": "Stop"}
    came = {"pictures": [{"url": f"{stage.twilio.url}/card"}]}
    assert stage.by_generic("messages", text | came) == 200
    record = stage.record(ann)
    assert (record["State"], record["Reason"]) == ("Handled", "stop")


# -- SIP


def test_a_text_over_sip_arrives_both_ways(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("trunk", ann, ben)
    assert stage.trunk.send(ann, BY_SIP, "Grüße 😀".encode(), name="there") == 202
    message = stage.trunk_sent(ben)
    assert message.endswith("\r\n\r\nGrüße 😀".encode())
    assert f"From: <sip:{BY_SIP}@".encode() in message
    until(lambda: stage.record(ann)["State"] == "Accepted")
    assert stage.trunk.send(ben, BY_SIP, b"And back", name="back") == 202
    assert stage.trunk_sent(ann).endswith(b"\r\n\r\nAnd back")


def test_a_text_over_sip_that_goes_nowhere_is_told_so(stage: Stage) -> None:
    stranger = stage.person()
    status = stage.trunk.send(stranger, BY_SIP, b"Hello?", name="stranger")
    assert 400 <= status < 500
    assert stage.record(stranger)["State"] == "Refused"
    ann, ben = stage.person(), stage.person()
    stage.session("trunk", ann, ben)
    for kind in ("message/cpim", "text/html", "multipart/mixed;boundary=x"):
        assert stage.trunk.send(ann, BY_SIP, b"x", name=kind[:7], kind=kind) == 415
    assert stage.trunk.send(ann, BY_SIP, b"\xff", name="latin") == 400


def test_a_text_over_sip_that_is_repeated_is_sent_once(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("trunk", ann, ben)
    for _ in range(3):
        assert stage.trunk.send(ann, BY_SIP, b"Once", name="again", again=True) == 202
    assert stage.trunk.send(ann, BY_SIP, b"Last", name="last") == 202
    until(lambda: len([m for m in stage.trunk.taken if ben.encode() in m[:60]]) == 2, 30)


def test_a_busy_trunk_gets_the_text_later_and_a_refusal_is_recorded(stage: Stage) -> None:
    ann, ben = stage.person(), stage.person()
    stage.session("trunk", ann, ben)
    stage.trunk.answers += [503]
    assert stage.trunk.send(ann, BY_SIP, b"Later", name="later") == 202
    until(lambda: stage.record(ann)["State"] == "Accepted", 30)
    tries = [m for m in stage.trunk.taken if ben.encode() in m[:60]]
    assert len(tries) == 2
    names = {line for m in tries for line in m.split(b"\r\n") if line.startswith(b"Call-ID")}
    assert len(names) == 1  # so that a phone which had it after all can tell
    numbers = {line for m in tries for line in m.split(b"\r\n") if line.startswith(b"CSeq")}
    assert len(numbers) == 2  # or it would be the same request by two ways (RFC 3261 8.2.2.2)
    stage.trunk.answers += [404]
    assert stage.trunk.send(ben, BY_SIP, b"Never", name="never") == 202
    record = until(lambda: (found := stage.record(ben))["State"] == "Failed" and found, 30)
    assert (record["Reason"], record["Error"]) == ("bad-destination", "404")


def test_a_text_waits_out_a_kill_of_the_whole_service(own_stage: Stage) -> None:
    stage = own_stage
    ann, ben = stage.person(), stage.person()
    stage.session("trunk", ann, ben)
    stage.trunk.answers += [0]  # never answered: the text is under way when all ends
    assert stage.trunk.send(ann, BY_SIP, b"Still here", name="kept") == 202
    until(lambda: stage.trunk.taken)
    stage.service.kill()
    stage.service.start()
    first, *again = until(lambda: len(stage.trunk.taken) > 1 and stage.trunk.taken, 90)
    assert all(message.endswith(b"\r\n\r\nStill here") for message in (first, *again))
    assert stage.trunk.send(ann, BY_SIP, b"Still here", name="kept", again=True) == 202
    until(lambda: stage.record(ann)["State"] == "Accepted", 30)


# -- several processes


def test_processes_with_a_role_each_share_the_work(tmp_path: Path, cluster: Cluster) -> None:
    """Over PostgreSQL: two that answer, one that sends. A picture that one of the two took in is
    shown by the other as well."""
    key = tmp_path / "store.key"
    shared = f'store.url = "{cluster.new_database()}"\nstore.key = "{key}"\n'
    public = free_port()
    with fake_twilio() as twilio, running_smsc() as smsc, ExitStack() as stack:
        started = {}
        for name, role, port in (
            ("one", "api", public), ("other", "api", free_port()), ("sender", "sms", public)
        ):  # fmt: skip
            folder = tmp_path / name
            folder.mkdir()
            more = carriers(folder, twilio, smsc, free_port(TRUNK_HOST))
            service = running(
                folder, carrier_settings=more, more_settings=shared, role=role, api_port=port
            )
            started[name] = next(service)
            stack.callback(next, service, None)
        assert "sms tw gen smsc" in started["sender"].output
        with sip_peer(TRUNK_HOST, free_port(TRUNK_HOST), ("127.0.0.1", 1)) as nobody:
            stage = Stage(started["one"], twilio, nobody, smsc)
            ann, ben = stage.person(), stage.person()
            stage.session("tw", ann, ben)
            twilio.media["/ME1"] = ("image/jpeg", picture())
            media = {"NumMedia": "1", "MediaUrl0": f"{twilio.url}/ME1"}
            assert stage.by_twilio(ann, BY_TWILIO, "See", "SMroles", **media) == 200
            link = stage.twilio_sent(ben)["MediaUrl"]
            until(lambda: stage.record(ann)["State"] == "Accepted")
        token = link.rpartition("/")[2]
        for name in ("one", "other"):
            with urllib.request.urlopen(f"{started[name].url}/media/{token}") as shown:
                assert Image.open(io.BytesIO(shown.read())).size == (8, 8)


# -- from one to another


def test_texts_and_pictures_cross_between_twilio_and_sip(stage: Stage) -> None:
    ann, ben, cat, dan = (stage.person() for _ in range(4))
    stage.session("both", ann, cat)
    stage.session("both", ben, dan)
    proxies = stage.session("both", ann, ben)  # no number is free for both: each has their own
    assert set(proxies.values()) == set(MIXED.values())
    by_twilio = next(who for who in proxies if proxies[who] == MIXED["tw"])
    by_sip = next(who for who in proxies if who != by_twilio)

    stage.twilio.media["/Media/ME1"] = ("image/jpeg", picture())
    status = stage.by_twilio(
        by_twilio, MIXED["tw"], "See", "SMcross", NumMedia="1",
        MediaUrl0=f"{stage.twilio.url}/Media/ME1", MediaContentType0="image/jpeg",
    )  # fmt: skip
    assert status == 200
    body = stage.trunk_sent(by_sip).partition(b"\r\n\r\n")[2].decode()
    words, link = body.split("\n")
    assert words == "See"
    assert link.startswith(f"{stage.service.url}/media/")
    with urllib.request.urlopen(link) as shown:
        content = shown.read()
    assert Image.open(io.BytesIO(content)).size == (8, 8)
    assert b"SECA" not in content

    assert stage.trunk.send(by_sip, MIXED["trunk"], b"Nice", name="nice") == 202
    assert stage.twilio_sent(by_twilio)["From"] == MIXED["tw"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(link + "x")


def test_texts_and_pictures_cross_between_twilio_and_smpp(stage: Stage) -> None:
    ann, ben, cat, dan = (stage.person() for _ in range(4))
    stage.session("smpp", ann, cat)
    stage.session("smpp", ben, dan)
    proxies = stage.session("smpp", ann, ben)
    by_twilio = next(who for who in proxies if proxies[who] == MIXED_SMPP["tw"])
    by_smpp = next(who for who in proxies if who != by_twilio)

    stage.twilio.media["/Media/ME2"] = ("image/jpeg", picture())
    media = {"NumMedia": "1", "MediaUrl0": f"{stage.twilio.url}/Media/ME2"}
    assert stage.by_twilio(by_twilio, MIXED_SMPP["tw"], "See", "SMsmpp", **media) == 200
    (submit,) = until(lambda: list(stage.smsc.taken), 30)
    assert (submit.source, submit.destination) == (MIXED_SMPP["smsc"][1:], by_smpp[1:])
    assert submit.octets.startswith(f"See\n{stage.service.url}/media/".encode())
    until(lambda: stage.record(by_twilio)["State"] == "Delivered", 30)  # the SMSC says so

    stage.by_smpp(by_smpp, MIXED_SMPP["smsc"], b"Nice")
    sent = stage.twilio_sent(by_twilio)
    assert (sent["From"], sent["Body"]) == (MIXED_SMPP["tw"], "Nice")
    until(lambda: stage.smsc.delivered)
