"""What CDK, the console and scripts do with phone numbers: searched, ordered, used, given back."""

from typing import Any
from uuid import uuid4

import pytest
from contract.test_boto3 import refused, status
from house import House

SEATTLE = [f"+120655501{number}" for number in range(70, 90)]
SPOKANE = ["+15095550170", "+15095550171"]
FREE_OF_CHARGE = "+18005550170"
FOREIGN = "+12065559999"
VOICE_CONNECTOR = "VoiceConnector"


@pytest.fixture(scope="module")
def house(house: House) -> House:
    house.import_numbers(*SEATTLE, *SPOKANE, FREE_OF_CHARGE, shared=False)
    return house


@pytest.fixture
def ids(client: Any) -> dict[str, str]:
    made = client.create_voice_connector(Name="office", RequireEncryption=False)
    return {"VoiceConnectorId": made["VoiceConnector"]["VoiceConnectorId"]}


@pytest.fixture
def number(client: Any) -> str:
    """A number that has been ordered and that nothing uses."""
    (number,) = client.search_available_phone_numbers(AreaCode="206", MaxResults=1)[
        "E164PhoneNumbers"
    ]
    order(client, number)
    text: str = number
    return text


def order(client: Any, *numbers: str) -> dict[str, Any]:
    """The order of these numbers as it is when it is looked at again."""
    made = client.create_phone_number_order(ProductType=VOICE_CONNECTOR, E164PhoneNumbers=numbers)
    assert status(made) == 201
    assert made["PhoneNumberOrder"]["Status"] == "Processing"
    order_id = made["PhoneNumberOrder"]["PhoneNumberOrderId"]
    found: dict[str, Any] = client.get_phone_number_order(PhoneNumberOrderId=order_id)[
        "PhoneNumberOrder"
    ]
    return found


def get(client: Any, number: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get_phone_number(PhoneNumberId=number)["PhoneNumber"]
    return found


def test_a_number_from_its_order_to_its_end(client: Any, ids: dict[str, str], number: str) -> None:
    assert get(client, number)["Status"] == "Unassigned"
    done = client.associate_phone_numbers_with_voice_connector(**ids, E164PhoneNumbers=[number])
    assert (status(done), done["PhoneNumberErrors"]) == (200, [])
    (association,) = get(client, number)["Associations"]
    assert (association["Name"], association["Value"]) == ("VoiceConnectorId", *ids.values())
    assert get(client, number)["Status"] == "Assigned"
    refused(client, "BadRequestException", lambda: client.delete_phone_number(PhoneNumberId=number))
    done = client.disassociate_phone_numbers_from_voice_connector(**ids, E164PhoneNumbers=[number])
    assert done["PhoneNumberErrors"] == []
    assert status(client.delete_phone_number(PhoneNumberId=number)) == 204
    deleted = get(client, number)
    assert deleted["Status"] == "ReleaseInProgress"
    assert "DeletionTimestamp" in deleted
    restored = client.restore_phone_number(PhoneNumberId=number)["PhoneNumber"]
    assert (restored["Status"], restored["Associations"]) == ("Unassigned", [])
    assert "DeletionTimestamp" not in restored
    refused(
        client, "BadRequestException", lambda: client.restore_phone_number(PhoneNumberId=number)
    )


def test_an_order_is_looked_for_until_it_is_done(client: Any) -> None:
    first, second = client.search_available_phone_numbers(AreaCode="206", MaxResults=2)[
        "E164PhoneNumbers"
    ]
    done = order(client, first, second)
    assert done["Status"] == "Successful"
    assert {each["Status"] for each in done["OrderedPhoneNumbers"]} == {"Acquired"}
    assert get(client, first)["OrderId"] == done["PhoneNumberOrderId"]
    assert done in client.list_phone_number_orders()["PhoneNumberOrders"]
    assert first not in client.search_available_phone_numbers()["E164PhoneNumbers"]
    assert order(client, first)["Status"] == "Failed"
    (third,) = client.search_available_phone_numbers(AreaCode="509", MaxResults=1)[
        "E164PhoneNumbers"
    ]
    assert order(client, third, FOREIGN)["Status"] == "Partial"


def test_orders_that_cannot_be(client: Any) -> None:
    refused(
        client,
        "NotFoundException",
        lambda: client.get_phone_number_order(PhoneNumberOrderId=str(uuid4())),
    )
    for wrong in (
        {"ProductType": "SipMediaApplicationDialIn", "E164PhoneNumbers": [SEATTLE[0]]},
        {"ProductType": VOICE_CONNECTOR, "E164PhoneNumbers": []},
        {"ProductType": VOICE_CONNECTOR, "E164PhoneNumbers": ["Ben"]},
    ):
        told = refused(
            client,
            "BadRequestException",
            lambda wrong=wrong: client.create_phone_number_order(**wrong),
        )
        assert SEATTLE[0] not in str(told)


def test_searching(client: Any) -> None:
    search = client.search_available_phone_numbers
    found = search(Country="US", AreaCode="206")["E164PhoneNumbers"]
    assert found
    assert set(found) <= set(SEATTLE)
    assert search(TollFreePrefix="800")["E164PhoneNumbers"] == [FREE_OF_CHARGE]
    assert search(PhoneNumberType="TollFree")["E164PhoneNumbers"] == [FREE_OF_CHARGE]
    assert search(AreaCode="999")["E164PhoneNumbers"] == []
    page = search(AreaCode="206", MaxResults=1)
    rest = search(AreaCode="206", MaxResults=500, NextToken=page["NextToken"])
    assert page["E164PhoneNumbers"] + rest["E164PhoneNumbers"] == found


def test_countries(client: Any) -> None:
    found = client.list_supported_phone_number_countries(ProductType=VOICE_CONNECTOR)
    assert found["PhoneNumberCountries"] == [
        {"CountryCode": "US", "SupportedPhoneNumberTypes": ["Local", "TollFree"]}
    ]


@pytest.mark.parametrize("written", ["+{}", "%2B{}", "%252B{}", "{}"])
def test_an_id_may_be_written_in_many_ways(client: Any, written: str) -> None:
    number_id = written.format(SEATTLE[0][1:])
    found = get(client, number_id)
    assert found["E164PhoneNumber"] == SEATTLE[0]
    assert get(client, found["PhoneNumberId"]) == found


def test_a_number_is_changed_in_one_thing_at_a_time(client: Any, number: str) -> None:
    update = client.update_phone_number
    assert update(PhoneNumberId=number, Name="front desk")["PhoneNumber"]["Name"] == "front desk"
    changed = update(PhoneNumberId=number, CallingName="Acme Cars")["PhoneNumber"]
    assert (changed["Name"], changed["CallingName"]) == ("front desk", "Acme Cars")
    assert get(client, number) == changed
    refused(
        client,
        "BadRequestException",
        lambda: update(PhoneNumberId=number, Name="x", CallingName="Acme"),
    )
    update(PhoneNumberId=number, Name="")
    assert "Name" not in get(client, number)


def test_batches(client: Any, number: str) -> None:
    changed = client.batch_update_phone_number(
        UpdatePhoneNumberRequestItems=[
            {"PhoneNumberId": number, "Name": "both"},
            {"PhoneNumberId": FOREIGN, "Name": "both"},
        ]
    )
    (error,) = changed["PhoneNumberErrors"]
    assert (error["PhoneNumberId"], error["ErrorCode"]) == (FOREIGN, "NotFound")
    assert get(client, number)["Name"] == "both"
    deleted = client.batch_delete_phone_number(PhoneNumberIds=[number, FOREIGN])
    (error,) = deleted["PhoneNumberErrors"]
    assert (error["PhoneNumberId"], error["ErrorCode"]) == (FOREIGN, "NotFound")
    assert get(client, number)["Status"] == "ReleaseInProgress"


def test_no_request_holds_up_all_others(client: Any, ids: dict[str, str]) -> None:
    numbers = [f"+1206{number}" for number in range(2_000_000, 2_001_001)]
    for call in (
        lambda: order(client, *numbers),
        lambda: client.batch_delete_phone_number(PhoneNumberIds=numbers),
        lambda: client.associate_phone_numbers_with_voice_connector(
            **ids, E164PhoneNumbers=numbers
        ),
    ):
        told = refused(client, "BadRequestException", call)
        assert told["Error"]["Message"] == "One request can name at most 1000, not 1001"


def test_a_number_moves_only_by_force(client: Any, ids: dict[str, str], number: str) -> None:
    client.associate_phone_numbers_with_voice_connector(**ids, E164PhoneNumbers=[number])
    made = client.create_voice_connector_group(Name="g")["VoiceConnectorGroup"]
    group = {"VoiceConnectorGroupId": made["VoiceConnectorGroupId"]}
    associate = client.associate_phone_numbers_with_voice_connector_group
    (error,) = associate(**group, E164PhoneNumbers=[number])["PhoneNumberErrors"]
    assert error["ErrorCode"] == "Conflict"
    done = associate(**group, E164PhoneNumbers=[number], ForceAssociate=True)
    assert done["PhoneNumberErrors"] == []
    listed = client.list_phone_numbers(
        FilterName="VoiceConnectorGroupId", FilterValue=made["VoiceConnectorGroupId"]
    )
    assert [each["E164PhoneNumber"] for each in listed["PhoneNumbers"]] == [number]
    told = refused(
        client, "ConflictException", lambda: client.delete_voice_connector_group(**group)
    )
    assert status(told) == 409
    done = client.disassociate_phone_numbers_from_voice_connector_group(
        **group, E164PhoneNumbers=[number]
    )
    assert done["PhoneNumberErrors"] == []
    client.delete_voice_connector_group(**group)


def test_lists_by_pages(client: Any) -> None:
    found, token = [], {}
    while True:
        page = client.list_phone_numbers(ProductType=VOICE_CONNECTOR, MaxResults=10, **token)
        found += [each["E164PhoneNumber"] for each in page["PhoneNumbers"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert sorted(found) == sorted([*SEATTLE, *SPOKANE, FREE_OF_CHARGE])
    refused(
        client,
        "BadRequestException",
        lambda: client.list_phone_numbers(FilterName="SipRuleId", FilterValue="x"),
    )


def test_what_is_not_in_the_inventory(client: Any) -> None:
    for call in (client.get_phone_number, client.delete_phone_number, client.restore_phone_number):
        told = refused(client, "NotFoundException", lambda call=call: call(PhoneNumberId=FOREIGN))
        assert status(told) == 404
        assert FOREIGN not in told["Error"]["Message"]


def test_another_account_has_numbers_of_its_own(house: House, client: Any) -> None:
    stranger = house.client(house.new_tenant())
    assert stranger.list_phone_numbers()["PhoneNumbers"] == []
    refused(
        stranger, "NotFoundException", lambda: stranger.get_phone_number(PhoneNumberId=SEATTLE[0])
    )
    connector = client.create_voice_connector(Name="taken", RequireEncryption=False)
    client.associate_phone_numbers_with_voice_connector(
        VoiceConnectorId=connector["VoiceConnector"]["VoiceConnectorId"],
        E164PhoneNumbers=[SEATTLE[0]],
    )
    assert order(stranger, SEATTLE[0])["Status"] == "Failed"


def test_the_calling_name_of_the_account(client: Any) -> None:
    assert "CallingName" not in client.get_phone_number_settings()
    assert status(client.update_phone_number_settings(CallingName="Acme")) == 204
    found = client.get_phone_number_settings()
    assert found["CallingName"] == "Acme"
    assert "CallingNameUpdatedTimestamp" in found
    refused(
        client,
        "BadRequestException",
        lambda: client.update_phone_number_settings(CallingName="Other"),
    )
