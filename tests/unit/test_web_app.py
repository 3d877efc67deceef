"""The HTTP door: what it answers, to whom, and what it says about it in the log."""

import io
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from door import HOST, REGION, Door, Reply, tells_of

from maskline import logs
from maskline.cli.signer import AccessKey, sign
from maskline.model import load
from maskline.operations import TABLE, Context, Handler
from maskline.store import Row, StoreFailed
from maskline.store.sqlite import SqliteTransaction
from maskline.web import app as web_app
from maskline.web import openapi, pipeline
from maskline.web.requests import MOST_TOGETHER, ORDINARY
from maskline.web.turns import MOST_AT_ONCE

NUMBERS = ["+12065550198", "+12065550199"]
ANN, BEN = "+12065550100", "+14015550101"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    opened = Door(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the log has got so far."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    monkeypatch.setattr(web_app, "log", structlog.get_logger())  # the old one may be bound

    def read() -> list[dict[str, Any]]:
        logs.flush()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield read
    logs.reset()


def connector(door: Door, key: AccessKey | None = None) -> str:
    made = door.ask(
        "POST", "/voice-connectors", {"Name": "one", "RequireEncryption": False}, key
    ).content
    connector_id: str = made["VoiceConnector"]["VoiceConnectorId"]
    door.ask(
        "PUT",
        f"/voice-connectors/{connector_id}/programmable-numbers/proxy",
        {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"]},
        key,
    )
    return connector_id


def import_numbers(door: Door, key: AccessKey | None = None) -> Reply:
    content = {"CarrierName": "acme", "E164PhoneNumbers": NUMBERS, "Shared": True}
    return door.ask("POST", "/admin/phone-numbers/import", content, key)


def create(door: Door, connector_id: str, key: AccessKey | None = None) -> Reply:
    content = {"ParticipantPhoneNumbers": [ANN, BEN], "Capabilities": ["Voice"]}
    return door.ask("POST", f"/voice-connectors/{connector_id}/proxy-sessions", content, key)


def test_every_modelled_operation_can_be_carried_out() -> None:
    modelled = {(name, each) for name in pipeline.SERVICES for each in load(name).operations}
    assert modelled <= TABLE.keys()


def test_health(door: Door) -> None:
    well = door.send("GET", "/health", {})
    assert well
    assert (well.status, well.content) == (200, {"status": "up", "engines": door.engines})
    door.engines["kamailio"] = "starting"
    ill = door.send("GET", "/health", {})
    assert ill
    assert (ill.status, ill.content) == (503, {"status": "down", "engines": door.engines})


def test_a_session_from_its_beginning_to_its_end(door: Door) -> None:
    assert import_numbers(door).content == {"PhoneNumberErrors": []}
    connector_id = connector(door)
    made = create(door, connector_id)
    assert made.status == 201
    session = made.content["ProxySession"]
    assert list(session)[:2] == ["VoiceConnectorId", "ProxySessionId"]
    path = f"/voice-connectors/{connector_id}/proxy-sessions/{session['ProxySessionId']}"
    assert door.ask("GET", path).content == made.content
    assert door.ask("GET", f"/console{path}").content == made.content
    assert door.ask("POST", path, {"Capabilities": ["SMS"]}).status == 201
    gone = door.ask("DELETE", path)
    assert (gone.status, gone.body, "content-type" in gone.headers) == (204, b"", False)
    assert door.ask("GET", path).content["ProxySession"]["Status"] == "Closed"


def test_every_answer_has_an_id_of_its_own(door: Door) -> None:
    replies = [door.ask("GET", "/voice-connectors") for _ in range(3)]
    assert len({UUID(reply.headers["x-amzn-requestid"]) for reply in replies}) == 3


def test_what_is_not_there_needs_no_signature(door: Door) -> None:
    for method, path in (("GET", "/"), ("GET", "/nothing"), ("PATCH", "/voice-connectors/x")):
        reply = door.send(method, path, {})
        assert reply
        assert (reply.status, reply.error) == (404, "UnknownOperationException")
        assert "Offered are proxy sessions" in reply.content["Message"]


def test_the_openapi_document_is_no_secret(door: Door) -> None:
    reply = door.send("GET", "/openapi.json", {})
    assert reply is not None
    assert (reply.status, reply.content) == (200, json.loads(openapi.document()))
    assert reply.headers["content-type"] == "application/json"


def test_the_methods_of_a_path_are_told(door: Door) -> None:
    reply = door.send("PATCH", "/voice-connectors", {})
    assert reply
    assert "GET, POST" in reply.content["Message"]


def test_an_unsigned_request(door: Door) -> None:
    reply = door.send("GET", "/voice-connectors", {"Host": "h"})
    assert reply
    assert (reply.status, reply.error) == (403, "MissingAuthenticationTokenException")


def test_a_key_that_does_not_exist(door: Door) -> None:
    reply = door.ask("GET", "/voice-connectors", key=AccessKey("AKIANOBODY", "x"))
    assert (reply.status, reply.error) == (403, "UnrecognizedClientException")


def test_a_wrong_secret(door: Door) -> None:
    reply = door.ask("GET", "/voice-connectors", key=AccessKey(door.key.id, "x"))
    assert (reply.status, reply.error) == (403, "InvalidSignatureException")


def test_all_that_is_wrong_is_told_at_once(door: Door) -> None:
    reply = door.ask("POST", "/voice-connectors", {"Name": "", "RequireEncryption": 3})
    assert (reply.status, reply.error) == (400, "BadRequestException")
    assert reply.content["Message"].startswith("2 validation errors detected")


def test_a_query_of_thousands_of_parameters_is_not_read(door: Door) -> None:
    """Nobody needs a key to send one."""
    reply = door.ask("GET", "/voice-connectors?" + "&".join(f"x{n}=" for n in range(200)))
    assert reply.status == 200
    reply = door.ask("GET", "/voice-connectors?" + "&" * 60_000, key=AccessKey("AKIANOBODY", "x"))
    assert (reply.status, reply.error) == (400, "BadRequestException")
    assert "200 parameters" in reply.content["Message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000, b'{"Name": "\\ud800"}'])
def test_bodies_that_are_no_json_object(door: Door, body: bytes) -> None:
    assert door.ask_bytes("POST", "/voice-connectors", body).error == "BadRequestException"


@pytest.mark.parametrize(
    ("method", "target", "content"),
    [
        ("POST", "/voice-connectors", {"Name": "a\0b", "RequireEncryption": False}),
        ("GET", "/voice-connectors/a%00b", None),
        ("GET", "/phone-numbers?filter-name=VoiceConnectorId&filter-value=%00", None),
        ("POST", "/tags?operation=tag-resource", {
            "ResourceARN": "arn:aws:chime:us-east-1:1:vc/a", "Tags": [{"Key": "a", "Value": "\0"}],
        }),
    ],
)  # fmt: skip
def test_a_nul_is_refused_by_name(door: Door, method: str, target: str, content: Any) -> None:
    reply = door.ask(method, target, content)
    assert (reply.status, reply.content["Code"]) == (400, "BadRequest")
    assert "U+0000" in reply.content["Message"]


def test_a_refusal_has_the_name_that_the_model_lists(door: Door) -> None:
    reply = door.ask("GET", f"/voice-connectors/{'a' * 22}")
    assert (reply.status, reply.error) == (404, "NotFoundException")
    assert reply.content["Code"] == "NotFound"


def test_an_exhausted_pool_is_a_bad_request_with_a_finer_code(door: Door) -> None:
    reply = create(door, connector(door))
    assert (reply.status, reply.error) == (400, "BadRequestException")
    assert reply.content["Code"] == "ResourceLimitExceeded"


def test_accounts_do_not_see_each_other(door: Door) -> None:
    connector_id, stranger = connector(door), door.new_key()
    path = f"/voice-connectors/{connector_id}"
    assert door.ask("GET", path).status == 200
    assert door.ask("GET", path, key=stranger).error == "NotFoundException"
    assert door.ask("GET", "/voice-connectors", key=stranger).content == {"VoiceConnectors": []}
    assert create(door, connector_id, stranger).error == "NotFoundException"


def headers_of(door: Door, body: bytes = b"", key: AccessKey | None = None) -> dict[str, str]:
    """Those of a rightly signed POST that makes a connector."""
    return dict(sign(key or door.key, REGION, "POST", "/voice-connectors", {"Host": HOST}, body))


def test_bodies_have_an_end(tmp_path: Path) -> None:
    door = Door(tmp_path, max_body_bytes=1024)
    signed = headers_of(door)
    announced = door.send("POST", "/voice-connectors", {**signed, "Content-Length": "1025"}, b"{}")
    streamed = door.send("POST", "/voice-connectors", signed, b" " * 1000, b" " * 25)
    absurd = door.send("POST", "/voice-connectors", {**signed, "Content-Length": "9" * 5000})
    for reply in (announced, streamed, absurd):
        assert reply
        assert (reply.status, reply.error) == (413, "RequestEntityTooLargeException")
    door.close()


def test_a_body_is_not_read_for_who_has_no_key(door: Door) -> None:
    """The client that would send it goes away when it is asked for it: then nobody is answered."""
    signed = headers_of(door)
    old = {name: re.sub("20[0-9]{6}", "20200415", text) for name, text in signed.items()}
    for headers, error in (
        ({}, "MissingAuthenticationTokenException"),
        ({"Authorization": "AWS4-HMAC-SHA256 x"}, "IncompleteSignatureException"),
        (old, "InvalidSignatureException"),
        (headers_of(door, key=AccessKey("AKIANOBODY", "x")), "UnrecognizedClientException"),
        (headers_of(door, key=AccessKey("AKIA" + "A" * 16, "x")), "UnrecognizedClientException"),
    ):
        reply = door.send("POST", "/voice-connectors", headers, ends=False)
        assert reply is not None, error
        assert reply.error == error
    assert door.send("POST", "/voice-connectors", signed, b"{", ends=False) is None


def test_bodies_are_given_back_when_they_are_answered(tmp_path: Path) -> None:
    door = Door(tmp_path, max_body_bytes=2 * ORDINARY)
    spaces = b" " * 2 * ORDINARY
    for body, status in ((b'{"Name": "a", "RequireEncryption": false}', 201), (b"{", 400)):
        for _ in range(MOST_TOGETHER):
            sent = spaces[len(body) :] + body
            assert door.ask_bytes("POST", "/voice-connectors", sent).status == status
    wrong = headers_of(door, key=AccessKey(door.key.id, "x"))
    for _ in range(MOST_TOGETHER):
        reply = door.send("POST", "/voice-connectors", wrong, spaces)
        assert reply
        assert reply.error == "InvalidSignatureException"
    door.close()


def test_a_key_has_its_share_and_no_more(tmp_path: Path) -> None:
    door = Door(tmp_path, max_requests_per_second=1)
    assert door.ask("GET", "/voice-connectors").status == 200
    reply = door.ask("GET", "/voice-connectors")
    assert (reply.status, reply.error) == (429, "ThrottledClientException")
    assert reply.headers["retry-after"] == "1"
    assert door.ask("GET", "/voice-connectors", key=door.new_key()).status == 200
    door.close()


def test_the_keys_of_an_account_share_what_it_may_send(tmp_path: Path) -> None:
    door = Door(tmp_path, max_account_requests_per_second=1)
    account, other = account_of(door, door.key), door.new_key()
    replies = [
        door.ask("GET", "/voice-connectors", key=key)
        for key in (door.new_key(account), door.new_key(account), other)
    ]
    assert [reply.status for reply in replies] == [200, 429, 200]
    assert "The account has sent more" in replies[1].content["Message"]
    door.close()


def test_a_key_for_some_actions(door: Door) -> None:
    connector_id = connector(door)
    account_id = account_of(door, door.key)
    reader = door.new_key(account_id, actions=("chime:Get*", "maskline:*"))
    assert door.ask("GET", f"/voice-connectors/{connector_id}", key=reader).status == 200
    reply = create(door, connector_id, reader)
    assert (reply.status, reply.error) == (403, "ForbiddenException")
    assert reply.content["Code"] == "AccessDenied"
    assert import_numbers(door, reader).status == 200


def test_a_key_for_one_connector(door: Door) -> None:
    import_numbers(door)
    one, other = connector(door), connector(door)
    account_id = account_of(door, door.key)
    arn = f"arn:aws:chime:*:{account_id}:vc/{one}"
    key = door.new_key(account_id, actions=("chime:*",), resources=(arn,))
    assert create(door, one, key).status == 201
    for reply in (
        create(door, other, key),
        create(door, "a" * 22, key),  # it learns nothing of what may not be there
        door.ask("GET", "/voice-connectors", key=key),
    ):
        assert (reply.status, reply.error) == (403, "ForbiddenException")
    proxy = f"/voice-connectors/{other}/programmable-numbers/proxy"
    content = {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"]}
    assert door.ask("PUT", proxy, content, key).error == "AccessDeniedException"


def account_of(door: Door, key: AccessKey) -> str:
    row = door.write(lambda tx: tx.one("get_access_key", access_key_id=key.id))
    assert row
    account_id: str = row["account_id"]
    return account_id


def test_a_disabled_key_stops_at_once(door: Door) -> None:
    key = door.new_key(
        door.ask("POST", "/admin/accounts", {"Name": "a"}).content["Account"]["AccountId"]
    )
    assert door.ask("GET", "/voice-connectors", key=key).status == 200
    changed = door.ask("POST", f"/admin/access-keys/{key.id}", {"Status": "Inactive"})
    assert changed.content["AccessKey"]["Status"] == "Inactive"
    reply = door.ask("GET", "/voice-connectors", key=key)
    assert (reply.status, reply.error) == (401, "UnauthorizedClientException")
    guessed = door.ask("GET", "/voice-connectors", key=key._replace(secret="x"))
    assert guessed.error == "InvalidSignatureException"  # which tells nothing of the key


def test_one_line_for_each_request_and_no_number_in_it(
    door: Door, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    import_numbers(door)
    door.ask("GET", "/voice-connectors/%2B12065550100/proxy-sessions/+14015550101")
    door.send("GET", "/+12065550100", {})
    assert [(line["event"], line["route"], line["error"]) for line in lines()] == [
        ("request", "/admin/phone-numbers/import", None),
        (
            "request",
            "/voice-connectors/{voiceConnectorId}/proxy-sessions/{proxySessionId}",
            "NotFoundException",
        ),
        ("request", None, "UnknownOperationException"),
    ]
    assert lines()[0]["access_key_id"] == door.key.id
    assert not tells_of(lines(), ANN, BEN, *NUMBERS)


def test_a_database_that_fails_is_told_as_something_that_passes(
    door: Door, lines: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_work: object, **_how: object) -> None:
        raise StoreFailed("no space left for +12065550100")

    monkeypatch.setattr(door.store, "write", full)
    reply = door.ask("POST", "/voice-connectors", {"Name": "first", "RequireEncryption": False})
    assert (reply.status, reply.error) == (503, "ServiceUnavailableException")
    assert reply.content["Message"].startswith("The database does not answer, or cannot keep")
    failure, request = lines()
    assert (failure["errors"], request["status"]) == (["StoreFailed"], 503)
    assert not tells_of([reply.content, failure], ANN)


def test_an_error_of_ours_tells_the_client_nothing_and_the_log_where(
    door: Door, lines: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_context: object, _request: object) -> dict[str, Any]:
        try:
            raise KeyError(ANN)
        except KeyError as cause:
            raise ValueError(f"{ANN} is unwell") from cause

    monkeypatch.setitem(TABLE, ("chime-sdk-voice", "ListVoiceConnectors"), Handler(fail, False))
    reply = door.ask("GET", "/voice-connectors")
    assert (reply.status, reply.error) == (500, "ServiceFailureException")
    assert reply.content["Message"] == "The service failed to carry out the request"
    failure, request = lines()
    assert failure["errors"] == ["ValueError", "KeyError"]
    assert failure["at"][-1].endswith(" fail")
    assert failure["request_id"] == request["request_id"] == reply.headers["x-amzn-requestid"]
    assert not tells_of(lines(), ANN, BEN, *NUMBERS)


@pytest.mark.parametrize(
    ("target", "query"),
    [
        ("/phone-number-countries?product-type=VoiceConnector", "list_countries"),
        ("/search?type=phone-numbers", "search_phone_numbers"),
        ("/phone-numbers?status=Assigned", "list_phone_numbers"),
        ("/admin/phone-numbers?carrier-name=nobody", "list_imported_phone_numbers"),
        ("/admin/messages?state=Handled", "list_messages"),
        ("/phone-number-orders", "list_phone_number_orders"),
    ],
)
def test_what_may_read_much_holds_nobody_up(
    door: Door, monkeypatch: pytest.MonkeyPatch, target: str, query: str
) -> None:
    read_by: dict[str, str] = {}

    def told(tx: SqliteTransaction, name: str, **parameters: Any) -> list[Row]:
        read_by[name] = threading.current_thread().name
        return everything(tx, name, **parameters)

    everything = SqliteTransaction.all
    monkeypatch.setattr(SqliteTransaction, "all", told)
    assert door.ask("GET", target).status == 200
    assert read_by[query].startswith("store-reader")
    assert door.ask("GET", "/voice-connectors").status == 200
    assert read_by["list_voice_connectors"] == threading.current_thread().name


def test_large_requests_of_an_account_keep_nobody_else_waiting(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of them may come in a second, each as much work as hundreds of others."""
    name = ("chime-sdk-voice", "BatchDeletePhoneNumber")
    done: list[str] = []

    def delete(context: Context, request: dict[str, Any]) -> dict[str, Any]:
        done.append(context.account_id)
        return {"PhoneNumberErrors": []}

    monkeypatch.setitem(TABLE, name, Handler(delete, True))
    large, small = ({"PhoneNumberIds": ["+12065550100"] * count} for count in (1000, 1))
    greedy, other = door.new_key(), door.new_key()
    target = "/phone-numbers?operation=batch-delete"
    asked = [(greedy, "POST", target, large)] * 3 + [(other, "POST", target, small)]
    told = door.ask_at_once(*asked)
    assert [reply.status for reply in told] == [200] * 4
    (second,) = {*done} - {done[0]}
    assert done == [done[0], second, done[0], done[0]]
    many = door.ask_at_once(*[(greedy, "POST", target, large)] * (MOST_AT_ONCE + 1))
    assert [reply.status for reply in many].count(200) == MOST_AT_ONCE
    (refused,) = (reply for reply in many if reply.status != 200)
    assert (refused.status, refused.error) == (429, "ThrottledClientException")
    assert refused.headers["retry-after"] == "1"


def test_lifespan_is_left_alone(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    async def nothing(*_: Any) -> Any:
        raise AssertionError

    with caplog.at_level(logging.DEBUG):
        door._loop.run_until_complete(door.app({"type": "lifespan"}, nothing, nothing))
