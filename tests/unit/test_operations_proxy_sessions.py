from dataclasses import replace
from typing import Any

import pytest
from desk import ANN, BEN, CAT, START, Desk, ids, proxies, proxy

from maskline.clock import DAY, HOUR, MINUTE
from maskline.domain.refusals import (
    BadRequest,
    Forbidden,
    InvalidPhoneNumber,
    NotFound,
    Refusal,
)
from maskline.operations import purge_sessions, settle_expired_sessions

NUMBERS = [f"+1913555010{digit}" for digit in range(4)]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.import_numbers(*NUMBERS)
    return desk


def test_a_new_session(desk: Desk, connector: str) -> None:
    session = desk.open(connector, "14015550101", ANN, Name="a b")
    assert session == {
        "VoiceConnectorId": connector,
        "ProxySessionId": session["ProxySessionId"],
        "Name": "a b",
        "Status": "Open",
        "ExpiryMinutes": 60,
        "Capabilities": ["SMS", "Voice"],
        "CreatedTimestamp": START,
        "UpdatedTimestamp": START,
        "EndedTimestamp": None,
        "Participants": [
            {"PhoneNumber": ANN, "ProxyPhoneNumber": proxy(session)},
            {"PhoneNumber": BEN, "ProxyPhoneNumber": proxy(session)},
        ],
        "NumberSelectionBehavior": None,
        "GeoMatchLevel": None,
        "GeoMatchParams": None,
    }
    assert desk.get(session) == session


def test_participants_stand_in_the_order_of_their_numbers(desk: Desk, connector: str) -> None:
    for pair in ((ANN, BEN), (BEN, ANN)):
        shown = desk.open(connector, *pair)["Participants"]
        assert [one["PhoneNumber"] for one in shown] == [ANN, BEN]


def test_what_was_wished_for_is_shown(desk: Desk, connector: str) -> None:
    wish = {
        "NumberSelectionBehavior": "PreferSticky",
        "GeoMatchLevel": "AreaCode",
        "GeoMatchParams": {"Country": "US", "AreaCode": ""},
    }
    session = desk.open(connector, ANN, BEN, **wish)
    assert {key: session[key] for key in wish} == wish


@pytest.mark.parametrize(
    ("participants", "more", "message"),
    [
        ((ANN, "12065550100"), {}, "same phone number"),
        ((ANN, "+911"), {}, "emergency"),
        ((ANN, "+19005550100"), {}, "premium"),
        ((ANN, NUMBERS[0]), {}, "proxy phone number itself"),
        ((ANN, BEN), {"ExpiryMinutes": 721}, "1 to 720 minutes"),
        ((ANN, BEN), {"ExpiryMinutes": 0}, "1 to 720 minutes"),
        ((ANN, BEN), {"Capabilities": []}, "capability"),
        ((ANN, "+99912345678"), {}, None),
    ],
)
def test_what_cannot_be_opened(
    desk: Desk,
    connector: str,
    participants: tuple[str, str],
    more: dict[str, Any],
    message: str | None,
) -> None:
    if message is None:  # only the first participant's country is ever needed
        desk.open(connector, *participants, **more)
        return
    with pytest.raises(BadRequest, match=message) as refusal:
        desk.open(connector, *participants, **more)
    assert not any(number[1:] in refusal.value.message for number in (ANN, BEN, NUMBERS[0]))


def test_the_longest_session_is_a_setting(desk: Desk, connector: str) -> None:
    desk.policy = replace(desk.policy, max_session_minutes=1440)
    assert desk.open(connector, ANN, BEN, ExpiryMinutes=1440)["ExpiryMinutes"] == 1440


def test_a_disabled_connector_forbids_new_sessions_only(desk: Desk, connector: str) -> None:
    session = desk.open(connector, ANN, BEN)
    put: dict[str, Any] = {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"]}
    desk.call("PutVoiceConnectorProxy", VoiceConnectorId=connector, Disabled=True, **put)
    with pytest.raises(Forbidden):
        desk.open(connector, ANN, BEN)
    assert desk.get(session)["Status"] == "Open"
    assert desk.dial(ANN, proxy(session))["Decision"] == "Connect"


def test_without_a_proxy_configuration_nothing_is_opened(desk: Desk, connector: str) -> None:
    desk.call("DeleteVoiceConnectorProxy", VoiceConnectorId=connector)
    with pytest.raises(NotFound, match="no proxy configuration; PutVoiceConnectorProxy"):
        desk.open(connector, ANN, BEN)


def test_what_a_connector_refuses_anybody_is_told_before_what_is_wrong_with_the_numbers(
    desk: Desk, connector: str
) -> None:
    for wrong in ((ANN, ANN), (ANN, "+1"), (ANN, NUMBERS[0])):
        with pytest.raises(BadRequest):
            desk.open(connector, *wrong)
        with pytest.raises(NotFound, match="VoiceConnector"):
            desk.open("y", *wrong)
    put: dict[str, Any] = {"DefaultSessionExpiryMinutes": 60, "PhoneNumberPoolCountries": ["US"]}
    desk.call("PutVoiceConnectorProxy", VoiceConnectorId=connector, Disabled=True, **put)
    with pytest.raises(Forbidden, match="disabled"):
        desk.open(connector, ANN, ANN)


def test_the_same_pair_twice_gets_another_number(desk: Desk, connector: str) -> None:
    first, second = desk.open(connector, ANN, BEN), desk.open(connector, ANN, BEN)
    assert proxy(first) != proxy(second)


def test_exhaustion_is_no_server_fault(desk: Desk, connector: str) -> None:
    for _ in NUMBERS:
        desk.open(connector, ANN, BEN)
    with pytest.raises(Refusal, match=r"Countries tried: US; numbers in the pool: 4") as refusal:
        desk.open(connector, ANN, BEN)
    assert (refusal.value.kind, refusal.value.code) == ("BadRequest", "ResourceLimitExceeded")


def test_a_session_expires_to_the_millisecond(desk: Desk, session: dict[str, Any]) -> None:
    desk.now = START + HOUR - 1
    assert desk.get(session)["Status"] == "Open"
    desk.now = START + HOUR
    closed = desk.get(session)
    assert (closed["Status"], closed["EndedTimestamp"]) == ("Closed", START + HOUR)
    assert closed["UpdatedTimestamp"] == START


def test_expiry_needs_nobody_to_notice_it(desk: Desk, session: dict[str, Any]) -> None:
    desk.now = START + 2 * HOUR
    before = desk.get(session)
    assert settle_expired_sessions(desk.context("")) == 1
    assert settle_expired_sessions(desk.context("")) == 0
    assert desk.get(session) == before


def test_an_update_replaces_the_capabilities(desk: Desk, session: dict[str, Any]) -> None:
    desk.now += MINUTE
    updated = desk.call("UpdateProxySession", **ids(session), Capabilities=["Voice"])[
        "ProxySession"
    ]
    assert updated == session | {"Capabilities": ["Voice"], "UpdatedTimestamp": START + MINUTE}
    desk.now = START + HOUR
    assert desk.get(session)["Status"] == "Closed"


def test_an_update_with_a_length_starts_a_new_window(desk: Desk, session: dict[str, Any]) -> None:
    desk.now += 50 * MINUTE
    desk.call("UpdateProxySession", **ids(session), Capabilities=["Voice"], ExpiryMinutes=20)
    desk.now = START + 70 * MINUTE - 1
    assert desk.get(session)["Status"] == "Open"
    assert desk.dial(ANN, proxy(session))["Decision"] == "Connect"
    desk.now += 1
    assert desk.get(session)["EndedTimestamp"] == START + 70 * MINUTE
    assert desk.dial(ANN, proxy(session))["Decision"] == "Reject"


@pytest.mark.parametrize(
    "changes", [{"ExpiryMinutes": 721}, {"Capabilities": []}, {"ExpiryMinutes": -1}]
)
def test_updates_that_are_refused(
    desk: Desk, session: dict[str, Any], changes: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest):
        desk.call("UpdateProxySession", **{**ids(session), "Capabilities": ["SMS"], **changes})
    assert desk.get(session) == session


def test_a_closed_session_cannot_be_updated(desk: Desk, session: dict[str, Any]) -> None:
    desk.now += HOUR
    with pytest.raises(BadRequest, match="closed"):
        desk.call("UpdateProxySession", **ids(session), Capabilities=["SMS"], ExpiryMinutes=5)


def test_a_number_that_a_clock_ahead_gave_away_is_not_held_again(
    desk: Desk, connector: str, session: dict[str, Any]
) -> None:
    """Two processes have clocks that differ: by one of them the session is over."""
    desk.now = START + HOUR
    assert proxy(session) in {proxy(desk.open(connector, ANN, CAT)) for _ in NUMBERS}
    desk.now = START + HOUR - 1
    with pytest.raises(BadRequest, match="closed"):
        desk.call("UpdateProxySession", **ids(session), Capabilities=["SMS"], ExpiryMinutes=5)
    desk.now += MINUTE
    assert desk.get(session)["Status"] == "Closed"


def test_a_deleted_session_stays_readable(desk: Desk, session: dict[str, Any]) -> None:
    desk.now += MINUTE
    desk.close(session)
    desk.now += MINUTE
    desk.close(session)
    closed = desk.get(session)
    assert (closed["Status"], closed["EndedTimestamp"]) == ("Closed", START + MINUTE)


def test_deleting_an_expired_session_leaves_its_end(desk: Desk, session: dict[str, Any]) -> None:
    desk.now += 2 * HOUR
    desk.close(session)
    assert desk.get(session)["EndedTimestamp"] == START + HOUR
    assert settle_expired_sessions(desk.context("")) == 0


@pytest.mark.parametrize(
    "operation", ["GetProxySession", "UpdateProxySession", "DeleteProxySession"]
)
def test_unknown_ids_are_not_found(
    desk: Desk, session: dict[str, Any], operation: str, connector: str
) -> None:
    more: dict[str, Any] = {}
    if operation == "UpdateProxySession":
        more = {"Capabilities": ["SMS"]}
    elsewhere = desk.connector()
    for request, what in (
        ({"VoiceConnectorId": connector, "ProxySessionId": "x"}, "ProxySession with Id 'x'"),
        ({"VoiceConnectorId": "y", "ProxySessionId": session["ProxySessionId"]}, "VoiceConnector"),
        ({**ids(session), "VoiceConnectorId": elsewhere}, "ProxySession"),
    ):
        with pytest.raises(NotFound, match=what):
            desk.call(operation, **request, **more)


def test_another_accounts_session_is_not_found(desk: Desk, session: dict[str, Any]) -> None:
    desk.account_id = "999999999999"
    with pytest.raises(NotFound):
        desk.get(session)
    with pytest.raises(NotFound, match="VoiceConnector"):
        desk.call("ListProxySessions", VoiceConnectorId=session["VoiceConnectorId"])


def list_ids(desk: Desk, connector: str, **request: Any) -> list[str]:
    answer = desk.call("ListProxySessions", VoiceConnectorId=connector, **request)
    return [each["ProxySessionId"] for each in answer["ProxySessions"]]


def test_lists_are_newest_first_and_filtered_by_status(desk: Desk, connector: str) -> None:
    made = [desk.open(connector, ANN, BEN, ExpiryMinutes=minutes) for minutes in (1, 9, 9, 9)]
    expired, deleted, talking, waiting = [each["ProxySessionId"] for each in made]
    desk.now += MINUTE
    desk.close(made[1])
    desk.dial(ANN, proxy(made[2]))
    for _ in range(2):
        assert list_ids(desk, connector) == [waiting, talking, deleted, expired]
        assert list_ids(desk, connector, Status="Closed") == [deleted, expired]
        assert list_ids(desk, connector, Status="InProgress") == [talking]
        assert list_ids(desk, connector, Status="Open") == [waiting]
        settle_expired_sessions(desk.context(""))


def test_a_list_shows_a_session_once_and_none_of_another_connector(
    desk: Desk, connector: str
) -> None:
    elsewhere = desk.connector()
    desk.open(elsewhere, ANN, CAT, ExpiryMinutes=1)
    desk.now += MINUTE
    talking, own = desk.open(elsewhere, ANN, CAT), desk.open(connector, ANN, BEN)
    for each in (talking, own):
        desk.dial(ANN, proxy(each))
        desk.dial(ANN, proxy(each))
    assert list_ids(desk, connector, Status="InProgress") == [own["ProxySessionId"]]
    assert list_ids(desk, connector, Status="Closed") == []


def test_pages_stay_stable_while_sessions_are_added(desk: Desk, connector: str) -> None:
    desk.import_numbers(*(f"+1913555{number:04}" for number in range(1000, 1020)))
    made = [desk.open(connector, ANN, BEN)["ProxySessionId"] for _ in range(5)]
    seen: list[str] = []
    token = None
    while True:
        answer = desk.call(
            "ListProxySessions", VoiceConnectorId=connector, MaxResults=2, NextToken=token
        )
        seen += [each["ProxySessionId"] for each in answer["ProxySessions"]]
        desk.open(connector, ANN, BEN)
        token = answer.get("NextToken")
        if token is None:
            break
    assert seen == made[::-1]


def test_the_last_page_has_no_token_even_when_full(desk: Desk, connector: str) -> None:
    for _ in range(2):
        desk.open(connector, ANN, BEN)
    answer = desk.call("ListProxySessions", VoiceConnectorId=connector, MaxResults=2)
    assert "NextToken" not in answer
    assert len(answer["ProxySessions"]) == 2


def test_a_token_of_another_list_is_refused(desk: Desk, connector: str) -> None:
    for _ in range(2):
        desk.open(connector, ANN, BEN)
    request: dict[str, Any] = {"VoiceConnectorId": connector, "MaxResults": 1}
    token = desk.call("ListProxySessions", **request)["NextToken"]
    for wrong in ("x", token[:-2], "é", "A" * 22, token.swapcase()):
        with pytest.raises(BadRequest, match="next token"):
            desk.call("ListProxySessions", **request, NextToken=wrong)
    with pytest.raises(BadRequest, match="next token"):
        desk.call("ListProxySessions", **request, Status="Open", NextToken=token)


def test_a_purged_session_is_gone_with_all_traces(desk: Desk, session: dict[str, Any]) -> None:
    number = proxy(session)
    desk.close(session)
    desk.now = START + 30 * DAY - 1
    assert purge_sessions(desk.context("")) == 0
    desk.now += 1
    assert purge_sessions(desk.context("")) == 1
    with pytest.raises(NotFound):
        desk.get(session)
    assert desk.dial(ANN, number)["Reason"] == "unknown-caller"
    for table in ("claims", "pair_numbers", "proxy_sessions"):
        assert desk.ground.sql(f"SELECT * FROM {table}") == []


def test_a_purge_leaves_what_later_sessions_use(desk: Desk, session: dict[str, Any]) -> None:
    desk.close(session)
    desk.now = START + 30 * DAY
    connector = session["VoiceConnectorId"]
    later = desk.open(connector, ANN, BEN, NumberSelectionBehavior="PreferSticky")
    assert proxies(later) == proxies(session)
    purge_sessions(desk.context(""))
    assert desk.dial(ANN, proxy(later))["Decision"] == "Connect"
    desk.close(later)
    again = desk.open(connector, ANN, BEN, NumberSelectionBehavior="PreferSticky")
    assert proxies(again) == proxies(later)


def test_a_barred_number_gets_no_session(desk: Desk, connector: str) -> None:
    desk.policy = replace(desk.policy, barred_prefixes=("+1401",))
    with pytest.raises(InvalidPhoneNumber, match="barred by the settings") as refused:
        desk.open(connector, ANN, BEN)
    assert BEN not in str(refused.value)
    assert desk.open(connector, ANN, CAT)
