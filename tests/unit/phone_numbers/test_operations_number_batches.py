"""Requests that name many numbers."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from desk import VOICE, Desk
from inventory import OTHERS, PROXY, SECOND, THIRD, details, errors

from maskline.domain.refusals import BadRequest
from maskline.operations.phone_number_associations import owner_arns


def batches(desk: Desk, numbers: list[str]) -> Iterator[Callable[[], dict[str, Any]]]:
    """Operations on numbers that are imported, each of which can be done with all of them."""
    connector = {"VoiceConnectorId": desk.connector()}
    made = desk.call("CreateVoiceConnectorGroup", Name="g")["VoiceConnectorGroup"]
    group = {"VoiceConnectorGroupId": made["VoiceConnectorGroupId"]}
    named = {"E164PhoneNumbers": numbers}
    items = [{"PhoneNumberId": number, "Name": "desk"} for number in numbers]
    yield partial(desk.maskline, "ImportPhoneNumbers", CarrierName="acme", **named)
    yield partial(desk.call, "CreatePhoneNumberOrder", ProductType="VoiceConnector", **named)
    yield partial(desk.call, "BatchUpdatePhoneNumber", UpdatePhoneNumberRequestItems=items)
    yield partial(desk.call, "AssociatePhoneNumbersWithVoiceConnector", **connector, **named)
    forced = {**group, **named, "ForceAssociate": True}
    yield partial(desk.call, "AssociatePhoneNumbersWithVoiceConnectorGroup", **forced)
    yield lambda: {
        "Owners": [*owner_arns(desk.context(), forced)]
    }  # who may do that is asked first
    yield partial(desk.call, "DisassociatePhoneNumbersFromVoiceConnectorGroup", **group, **named)
    yield partial(desk.call, "BatchDeletePhoneNumber", PhoneNumberIds=numbers)
    yield partial(desk.maskline, "RemovePhoneNumbers", **named)


def test_a_batch_is_a_few_statements_however_many_numbers_it_names(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All others wait for it, and calls: a thousand took half a second one by one on PostgreSQL."""
    statements: list[str] = []

    def noting(carry_out: Callable[..., Any]) -> Callable[..., Any]:
        def noted(query: str, **parameters: Any) -> Any:
            statements.append(query)
            return carry_out(query, **parameters)

        return noted

    for name in ("one", "all", "run"):
        monkeypatch.setattr(desk.tx, name, noting(getattr(desk.tx, name)), raising=False)
    counts: list[list[int]] = []
    for numbers in ([PROXY], [SECOND, THIRD, OTHERS]):
        desk.import_numbers(*numbers, shared=False)
        counts.append([])
        for carry_out in batches(desk, numbers):
            statements.clear()
            assert not carry_out().get("PhoneNumberErrors")
            counts[-1].append(len(statements))
    assert counts[0] == counts[1]
    assert max(counts[0]) < 10


@pytest.mark.parametrize(
    ("operation", "again"),
    [
        ("AssociatePhoneNumbersWithVoiceConnector", None),
        ("DisassociatePhoneNumbersFromVoiceConnector", "not associated"),
        ("BatchDeletePhoneNumber", None),
        ("ImportPhoneNumbers", None),
        ("RemovePhoneNumbers", "not in the inventory"),
    ],
)
def test_a_number_named_twice_is_done_once_and_then_again(
    desk: Desk, operation: str, again: str | None
) -> None:
    """The second time it is what the first has made of it, as if it stood in another request."""
    connector = {"VoiceConnectorId": desk.connector()}
    named = {"E164PhoneNumbers": [PROXY, PROXY.removeprefix("+")]}
    request: dict[str, dict[str, Any]] = {
        "BatchDeletePhoneNumber": {"PhoneNumberIds": [PROXY, "%2B19135550199"]},
        "ImportPhoneNumbers": {"CarrierName": "acme", **named},
        "RemovePhoneNumbers": named,
    }
    if operation.startswith("Disassociate"):
        desk.call("AssociatePhoneNumbersWithVoiceConnector", **connector, **named)
    service = "maskline" if operation in ("ImportPhoneNumbers", "RemovePhoneNumbers") else VOICE
    answer = desk.carry_out(service, operation, request.get(operation, {**connector, **named}))
    told = [each["ErrorMessage"] for each in answer["PhoneNumberErrors"]]
    assert len(told) == (again is not None)
    assert all(str(again) in message for message in told)


def test_a_batch_of_updates(desk: Desk) -> None:
    items = [{"PhoneNumberId": PROXY, "Name": "a"}, {"PhoneNumberId": SECOND, "Name": "b"}]
    request: dict[str, Any] = {"UpdatePhoneNumberRequestItems": items}
    assert errors(desk.call("BatchUpdatePhoneNumber", **request)) == {SECOND: "NotFound"}
    assert details(desk)["Name"] == "a"
    items.append({"PhoneNumberId": "%2B19135550199", "Name": "c"})
    with pytest.raises(BadRequest, match="twice"):
        desk.call("BatchUpdatePhoneNumber", **request)
    items[:] = [{"PhoneNumberId": "nonsense", "Name": name} for name in "ab"]
    with pytest.raises(BadRequest, match="twice"):
        desk.call("BatchUpdatePhoneNumber", **request)


@pytest.mark.parametrize("operation", ["BatchUpdatePhoneNumber", "BatchDeletePhoneNumber"])
def test_an_id_that_is_none_is_named_and_hinders_no_other(desk: Desk, operation: str) -> None:
    def carry_out(*number_ids: str) -> dict[str, Any]:
        items = [{"PhoneNumberId": number_id, "Name": "a"} for number_id in number_ids]
        if operation == "BatchUpdatePhoneNumber":
            return desk.call(operation, UpdatePhoneNumberRequestItems=items)
        return desk.call(operation, PhoneNumberIds=[*number_ids])

    refused = carry_out("nonsense", PROXY)
    assert errors(refused) == {"nonsense": "BadRequest"}
    assert (details(desk)["Name"], details(desk)["Status"]) in [
        ("a", "Unassigned"),
        (None, "ReleaseInProgress"),
    ]
