"""Numbers that accounts order, and what they find to be ordered."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from desk import ANN, BEN, START, Desk
from inventory import OTHERS, PROXY, SECOND, THIRD, details

from maskline.clock import DAY
from maskline.domain.refusals import BadRequest, LimitExceeded, NotFound
from maskline.operations import pages, purge_phone_number_orders, purge_phone_numbers
from maskline.operations.cities import spans_of
from maskline.operations.context import Quotas
from maskline.store import Row, Transaction


def test_what_an_account_gives_up_is_the_operators_again(desk: Desk) -> None:
    desk.import_numbers(THIRD)
    operator = desk.account_id
    desk.account_id = desk.tenant()
    search = partial(desk.call, "SearchAvailablePhoneNumbers")
    assert search()["E164PhoneNumbers"] == [PROXY]
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY, THIRD]}
    made = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
    done = desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=made["PhoneNumberOrderId"])
    outcome = {each["E164PhoneNumber"]: each["Status"] for each in
               done["PhoneNumberOrder"]["OrderedPhoneNumbers"]}  # fmt: skip
    assert outcome == {PROXY: "Acquired", THIRD: "Failed"}  # the operator shares the other
    assert search()["E164PhoneNumbers"] == []
    desk.call("UpdatePhoneNumber", PhoneNumberId=PROXY, Name="ours")
    desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    desk.now += 7 * DAY
    assert purge_phone_numbers(desk.context("")) == 1
    assert search()["E164PhoneNumbers"] == [PROXY]
    with pytest.raises(NotFound):
        desk.call("GetPhoneNumber", PhoneNumberId=PROXY)
    desk.account_id = operator
    assert desk.call("GetPhoneNumber", PhoneNumberId=PROXY)["PhoneNumber"]["Name"] is None


def test_an_account_takes_no_more_of_the_operators_numbers_than_its_quota(desk: Desk) -> None:
    desk.import_numbers(SECOND, THIRD, shared=False)
    desk.policy = replace(desk.policy, quotas=Quotas(phone_numbers=2))
    order = partial(desk.call, "CreatePhoneNumberOrder", ProductType="VoiceConnector")
    operator, desk.account_id = desk.account_id, desk.tenant()
    with pytest.raises(LimitExceeded, match="2 phone numbers"):
        order(E164PhoneNumbers=[PROXY, SECOND, THIRD])
    order(E164PhoneNumbers=[PROXY, SECOND])
    desk.call("DeletePhoneNumber", PhoneNumberId=PROXY)
    with pytest.raises(LimitExceeded):  # else it could keep all in its queues
        order(E164PhoneNumbers=[THIRD])
    desk.now += 7 * DAY
    purge_phone_numbers(desk.context(""))
    order(E164PhoneNumbers=[THIRD])
    assert desk.call("SearchAvailablePhoneNumbers")["E164PhoneNumbers"] == [PROXY]
    desk.account_id = operator
    desk.import_numbers("+19135550194", "+19135550195", shared=False)
    order(E164PhoneNumbers=[PROXY, "+19135550194", "+19135550195"])


def test_a_number_that_sessions_still_use_cannot_be_ordered(desk: Desk) -> None:
    connector = desk.connector()
    associated = {"VoiceConnectorId": connector, "E164PhoneNumbers": [PROXY]}
    desk.call("AssociatePhoneNumbersWithVoiceConnector", **associated)
    session = desk.open(connector, ANN, BEN)
    desk.call("DisassociatePhoneNumbersFromVoiceConnector", **associated)
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY]}
    for found, status in (([], "Failed"), ([PROXY], "Successful")):
        assert desk.call("SearchAvailablePhoneNumbers")["E164PhoneNumbers"] == found
        made = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
        done = desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=made["PhoneNumberOrderId"])
        assert done["PhoneNumberOrder"]["Status"] == status
        desk.close(desk.get(session))


def test_an_ordered_number_is_for_voice_connectors_and_has_nothing_of_the_operator(
    desk: Desk,
) -> None:
    desk.import_numbers(PROXY, shared=False)
    for change in ({"CallingName": "Operator"}, {"ProductType": "SipMediaApplicationDialIn"}):
        desk.call("UpdatePhoneNumber", PhoneNumberId=PROXY, **change)
    desk.account_id = desk.tenant()
    desk.call("CreatePhoneNumberOrder", ProductType="VoiceConnector", E164PhoneNumbers=[PROXY])
    number = desk.call("GetPhoneNumber", PhoneNumberId=PROXY)["PhoneNumber"]
    assert (number["ProductType"], number["CallingName"]) == ("VoiceConnector", None)
    answer = desk.call(
        "AssociatePhoneNumbersWithVoiceConnector",
        VoiceConnectorId=desk.connector(),
        E164PhoneNumbers=[PROXY],
    )
    assert answer == {"PhoneNumberErrors": []}


@pytest.mark.parametrize("name", ["mine", "", None])
def test_an_ordered_number_has_the_orders_name(desk: Desk, name: str | None) -> None:
    request: dict[str, Any] = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY]}
    desk.call("CreatePhoneNumberOrder", **request, Name=name)
    assert details(desk)["Name"] == (name or None)


def test_no_product_but_ours_has_countries(desk: Desk) -> None:
    request = {"ProductType": "SipMediaApplicationDialIn"}
    assert desk.call("ListSupportedPhoneNumberCountries", **request) == {"PhoneNumberCountries": []}


def test_an_order_takes_what_is_there_to_be_had(desk: Desk) -> None:
    desk.import_numbers(SECOND)
    assert desk.call("SearchAvailablePhoneNumbers") == {"E164PhoneNumbers": [PROXY]}

    def order(*numbers: str) -> dict[str, Any]:
        request = {"ProductType": "VoiceConnector", "E164PhoneNumbers": list(numbers)}
        made = desk.call("CreatePhoneNumberOrder", **request)["PhoneNumberOrder"]
        assert made["Status"] == "Processing"
        answer = desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=made["PhoneNumberOrderId"])
        found: dict[str, Any] = answer["PhoneNumberOrder"]
        return found

    partial = order(PROXY, SECOND)
    assert partial["Status"] == "Partial"
    assert [each["Status"] for each in partial["OrderedPhoneNumbers"]] == ["Acquired", "Failed"]
    assert details(desk)["OrderId"] == partial["PhoneNumberOrderId"]
    assert desk.call("SearchAvailablePhoneNumbers") == {"E164PhoneNumbers": []}
    failed = order(PROXY)
    assert failed["Status"] == "Failed"
    desk.import_numbers(THIRD, shared=False)
    assert order(THIRD)["Status"] == "Successful"
    listed = desk.call("ListPhoneNumberOrders", MaxResults=2)
    assert len(listed["PhoneNumberOrders"]) == 2
    assert listed["PhoneNumberOrders"][1] == failed
    with pytest.raises(NotFound):
        desk.call("GetPhoneNumberOrder", PhoneNumberOrderId="x")
    request: dict[str, Any] = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [THIRD]}
    wrongs: list[dict[str, Any]] = [
        {"ProductType": "SipMediaApplicationDialIn"},
        {"E164PhoneNumbers": []},
    ]
    for wrong in wrongs:
        with pytest.raises(BadRequest):
            desk.call("CreatePhoneNumberOrder", **(request | wrong))


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({"AreaCode": "913"}, [PROXY]),
        ({"Country": "GB"}, ["+442079460000"]),
        ({"Country": "US", "AreaCode": "914"}, []),
        ({"TollFreePrefix": "888"}, ["+18882345678"]),
        ({"PhoneNumberType": "TollFree"}, ["+18882345678"]),
        ({"PhoneNumberType": "Local", "Country": "US"}, [PROXY]),
        ({"State": "KS"}, [PROXY]),
        ({"State": "KS", "PhoneNumberType": "TollFree"}, []),
        ({"State": "KS", "City": "Topeka"}, []),
        ({"State": "ny", "City": "NEW YORK"}, []),
        ({"State": "", "City": "", "AreaCode": "913"}, [PROXY]),
    ],
)
def test_searching(desk: Desk, criteria: dict[str, str], found: list[str]) -> None:
    desk.import_numbers("+18882345678", "+442079460000", shared=False)
    assert desk.call("SearchAvailablePhoneNumbers", **criteria)["E164PhoneNumbers"] == found


@pytest.mark.parametrize(
    ("criteria", "told"),
    [
        ({"City": "Seattle"}, "State"),
        ({"State": "Washington"}, "two letters"),
        ({"State": "PR"}, "two letters"),
    ],
)
def test_a_search_that_cannot_be_done_is_refused(
    desk: Desk, criteria: dict[str, str], told: str
) -> None:
    with pytest.raises(BadRequest, match=told):
        desk.call("SearchAvailablePhoneNumbers", **criteria)


def test_a_search_by_city_takes_pages_over_all_its_codes(desk: Desk) -> None:
    inside = [f"+1{code}5550{last}" for code in (212, 332) for last in range(100, 130)]
    outside = [f"+1{code}5550{last}" for code in (213, 315, 333) for last in range(100, 130)]
    desk.import_numbers(*inside, *outside, shared=False)
    criteria: dict[str, Any] = {"City": "New York", "State": "NY", "MaxResults": 7}
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = desk.call("SearchAvailablePhoneNumbers", **criteria, **token)
        found += page["E164PhoneNumbers"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == inside


class Counted:
    """A transaction of which the queries for lists, and the rows that they gave, are counted."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.queries = self.rows = 0

    def all(self, name: str, **parameters: Any) -> Sequence[Row]:
        found = self.tx.all(name, **parameters)
        self.queries += 1
        self.rows += len(found)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tx, name)


def test_a_search_by_city_reads_no_more_than_it_shows(desk: Desk) -> None:
    """Topeka's numbers begin with 785 and 215, 228, 232 to 235, and so on up to 862."""
    inside = [f"+1785{office}0{last}" for office in (215, 235, 862) for last in range(100, 110)]
    outside = [f"+1785{office}0{last}" for office in (216, 236, 861) for last in range(100, 180)]
    desk.import_numbers(*inside, *outside, shared=False)
    counted = desk.tx = Counted(desk.tx)  # type: ignore[assignment]
    criteria = {"City": "Topeka", "State": "KS"}
    assert desk.call("SearchAvailablePhoneNumbers", **criteria)["E164PhoneNumbers"] == inside
    assert counted.queries <= 2 * len(spans_of("KS", "Topeka"))
    assert counted.rows <= len(inside) + counted.queries / 2
    counted.queries = 0
    criteria["City"] = "Houston"
    assert desk.call("SearchAvailablePhoneNumbers", **criteria | {"State": "TX"}) == {
        "E164PhoneNumbers": []
    }
    assert counted.queries <= 4 < len(spans_of("TX", "Houston"))


def test_the_countries_of_the_inventory(desk: Desk) -> None:
    desk.import_numbers("+18882345678", "+442079460000", shared=False)
    answer = desk.call("ListSupportedPhoneNumberCountries", ProductType="VoiceConnector")
    assert answer["PhoneNumberCountries"] == [
        {"CountryCode": "GB", "SupportedPhoneNumberTypes": ["Local"]},
        {"CountryCode": "US", "SupportedPhoneNumberTypes": ["Local", "TollFree"]},
    ]


def test_orders_of_many_numbers_come_on_more_pages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred orders of a thousand numbers each took a third of a second, and five megabytes."""
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY, OTHERS]}
    made = [desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"] for _ in range(5)]
    monkeypatch.setattr(pages, "MOST_CHARACTERS", 120)
    found, token, lengths = [], None, []
    while token or not lengths:
        page = desk.call("ListPhoneNumberOrders", NextToken=token)
        found += [each["PhoneNumberOrderId"] for each in page["PhoneNumberOrders"]]
        lengths.append(len(page["PhoneNumberOrders"]))
        token = page.get("NextToken")
    assert found == [each["PhoneNumberOrderId"] for each in reversed(made)]
    assert lengths == [2, 2, 1]


def test_orders_are_purged_with_the_audit_records_of_their_time(desk: Desk) -> None:
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [PROXY]}
    old = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
    desk.now += 1
    new = desk.call("CreatePhoneNumberOrder", **order)["PhoneNumberOrder"]
    desk.now = START + 365 * DAY - 1
    assert purge_phone_number_orders(desk.context("")) == 0
    desk.now += 1
    assert purge_phone_number_orders(desk.context("")) == 1
    assert purge_phone_number_orders(desk.context("")) == 0
    left = desk.call("ListPhoneNumberOrders")["PhoneNumberOrders"]
    assert [each["PhoneNumberOrderId"] for each in left] == [new["PhoneNumberOrderId"]]
    with pytest.raises(NotFound):
        desk.call("GetPhoneNumberOrder", PhoneNumberOrderId=old["PhoneNumberOrderId"])
    assert details(desk)["PhoneNumberId"]
