"""Who may do what, and what is noted of it: every operation, through an unmodified client."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from contract.test_control_admin import admin, key_of
from contract.walk.stage import ORDERED, OTHERS, SHARED, Stage
from house import House

from maskline.cli.signer import AccessKey
from maskline.model import Shape, load
from maskline.operations import TABLE

VOICE = "chime-sdk-voice"
WRITES = [name for (service, name), each in TABLE.items() if service == VOICE and each.mutates]
READS = [name for (service, name), each in TABLE.items() if service == VOICE and not each.mutates]
ANY_TEXT = "120655501000"  # fits every pattern of what our own operations require
# What tells nothing of anybody and names nothing.
AT_LARGE = {
    "CreatePhoneNumberOrder",
    "CreateVoiceConnector",
    "GetGlobalSettings",
    "GetPhoneNumberSettings",
    "ListAvailableVoiceConnectorRegions",
    "ListPhoneNumberOrders",
    "ListPhoneNumbers",
    "ListSupportedPhoneNumberCountries",
    "ListVoiceConnectorGroups",
    "ListVoiceConnectors",
    "SearchAvailablePhoneNumbers",
    "UpdateGlobalSettings",
    "UpdatePhoneNumberSettings",
}


@pytest.fixture(scope="module")
def house(house: House) -> House:
    house.import_numbers(*SHARED)
    house.import_numbers(*ORDERED, *OTHERS, shared=False)
    return house


@pytest.fixture(scope="module")
def stage(house: House) -> Stage:
    client = house.client()

    def call(operation: str, **arguments: Any) -> Any:
        return getattr(client, xform_name(operation))(**arguments)

    return Stage(call, newer=True)


@pytest.fixture(scope="module")
def operator(house: House) -> Any:
    return admin(house, house.operator)


Ask = Callable[..., tuple[str, str, Any]]


def asking(house: House, key: AccessKey | None = None) -> Ask:
    """Asks for an operation: the request's id, "Success" or the exception's name, the answer."""
    client = house.client(key)

    def ask(operation: str, arguments: dict[str, Any]) -> tuple[str, str, Any]:
        try:
            answer = getattr(client, xform_name(operation))(**arguments)
        except ClientError as error:
            name = type(error).__name__  # botocore has a type for what the service's model lists
            return error.response["ResponseMetadata"]["RequestId"], name, error.response
        return answer["ResponseMetadata"]["RequestId"], "Success", answer

    return ask


def new_key(operator: Any, actions: list[str], resources: list[str]) -> AccessKey:
    return key_of(operator.create_access_key(Actions=actions, Resources=resources))


def refusal(operation: str) -> str:
    """The exception that says "you may not", as the operation's model has it."""
    listed = load(VOICE).operations[operation].errors
    return "AccessDeniedException" if "AccessDeniedException" in listed else "ForbiddenException"


def records(operator: Any) -> dict[str, dict[str, Any]]:
    """The audit records of the account by their requests."""
    found, token = {}, {}
    while True:
        page = operator.list_audit_records(**token)
        for each in page["AuditRecords"]:
            assert each["RequestId"] not in found
            found[each["RequestId"]] = each
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def test_every_change_leaves_a_record(house: House, stage: Stage, operator: Any) -> None:
    ask = asking(house)
    done = {}
    for name in WRITES:
        arguments = stage.request(name, None)
        request_id, outcome, _ = ask(name, arguments)
        assert outcome == "Success", name
        done[request_id] = name, arguments
    found = records(operator)
    for request_id, (name, arguments) in done.items():
        record = found[request_id]
        assert (record["Action"], record["Outcome"]) == (f"chime:{name}", "Success")
        assert record["AccessKeyId"] == house.operator.id
        assert arguments.get("VoiceConnectorId", "") in record.get("Resource", "")
    assert not [number for number in (*SHARED, *ORDERED, *OTHERS) if number[1:] in str(found)]
    assert "+1303" not in str(found)


def test_a_key_does_what_its_list_allows_and_nothing_else(
    house: House, stage: Stage, operator: Any
) -> None:
    requests = {name: stage.request(name, None) for name in (*READS, *WRITES)}
    for actions, allowed, forbidden in (
        (["chime:Get*", "chime:List*", "chime:SearchAvailablePhoneNumbers"], READS, WRITES),
        (["maskline:*"], [], [*READS, *WRITES]),
    ):
        key = new_key(operator, actions, ["*"])
        ask = asking(house, key)
        assert {ask(name, requests[name])[1] for name in allowed} <= {"Success"}
        refused = {name: ask(name, requests[name])[:2] for name in forbidden}
        assert {name: outcome for name, (_, outcome) in refused.items()} == {
            name: refusal(name) for name in forbidden
        }
        found = records(operator)
        noted = {name: found.get(request_id) for name, (request_id, _) in refused.items()}
        for name in WRITES:
            record = noted[name]
            assert record is not None
            assert (record["Outcome"], record["AccessKeyId"]) == (refusal(name), key.id)
        assert not any(noted[name] for name in READS if name in noted)


def test_our_own_operations_ask_for_permission_too(house: House, operator: Any) -> None:
    """Each with the least that it takes; a number stands for any text, and is noted nowhere."""
    key = new_key(operator, ["chime:*"], ["*"])
    client = admin(house, key)
    ids = {}
    for name, operation in load("maskline").operations.items():
        wish = example(operation.input) if operation.input else {}
        with pytest.raises(client.exceptions.AccessDeniedException) as told:
            getattr(client, xform_name(name))(**wish)
        ids[told.value.response["ResponseMetadata"]["RequestId"]] = name
    found = records(operator)
    noted = {name: found[request_id] for request_id, name in ids.items() if request_id in found}
    assert noted.keys() == {
        name for (service, name), each in TABLE.items() if service == "maskline" and each.mutates
    }
    for name, record in noted.items():
        assert (record["Action"], record["AccessKeyId"]) == (f"maskline:{name}", key.id)
        assert record["Outcome"] == "AccessDeniedException"
    assert ANY_TEXT not in str(found)


def example(shape: Shape) -> Any:
    """The least value of a shape that its model allows."""
    if shape.members or shape.type == "structure":
        return {name: example(shape.members[name]) for name in shape.required}
    if shape.member:
        return [example(shape.member)]
    if shape.enum:
        return shape.enum[0]
    return {"boolean": True, "integer": shape.min or 1}.get(shape.type, ANY_TEXT)


def test_a_key_for_one_connector(house: House, stage: Stage, operator: Any) -> None:
    other_id, other_arn = stage.new_connector()
    ask = asking(house, new_key(operator, ["chime:*"], [stage.arn]))
    assert ask("GetVoiceConnector", stage.vc)[1] == "Success"
    assert ask("GetVoiceConnector", {"VoiceConnectorId": other_id})[1] == "ForbiddenException"
    assert ask("GetVoiceConnector", {"VoiceConnectorId": "a" * 22})[1] == "ForbiddenException"
    assert ask("ListTagsForResource", {"ResourceARN": stage.arn})[1] == "Success"
    assert ask("ListTagsForResource", {"ResourceARN": other_arn})[1] == "ForbiddenException"
    assert ask("GetVoiceConnectorGroup", stage.group)[1] == "ForbiddenException"
    assert {ask(name, stage.request(name, None))[1] for name in AT_LARGE} <= {
        "AccessDeniedException",
        "ForbiddenException",
    }


def test_a_key_for_one_group(house: House, stage: Stage, operator: Any) -> None:
    arn = stage.call("GetVoiceConnectorGroup", **stage.group)["VoiceConnectorGroup"][
        "VoiceConnectorGroupArn"
    ]
    ask = asking(house, new_key(operator, ["chime:Get*"], [arn]))
    assert ask("GetVoiceConnectorGroup", stage.group)[1] == "Success"
    assert ask("GetVoiceConnector", stage.vc)[1] == "ForbiddenException"


def test_a_key_for_one_connector_takes_no_numbers_from_another(
    house: House, stage: Stage, operator: Any
) -> None:
    other_id, _ = stage.new_connector()
    mine, theirs, grouped = (stage.unused() for _ in range(3))
    group = {"VoiceConnectorGroupId": stage.new_group()}
    for operation, owner, number in (
        ("AssociatePhoneNumbersWithVoiceConnector", stage.vc, mine),
        ("AssociatePhoneNumbersWithVoiceConnector", {"VoiceConnectorId": other_id}, theirs),
        ("AssociatePhoneNumbersWithVoiceConnectorGroup", group, grouped),
    ):
        stage.call(operation, **owner, E164PhoneNumbers=[number])
    arn = stage.call("GetVoiceConnectorGroup", **group)["VoiceConnectorGroup"]
    resources = [stage.arn, arn["VoiceConnectorGroupArn"]]
    ask = asking(house, new_key(operator, ["chime:*"], resources[:1]))

    def associate(ask: Ask, *numbers: str, name: str = "", **more: Any) -> Any:
        owner = group if name else stage.vc
        told = {**owner, "E164PhoneNumbers": [*numbers], **more}
        _, outcome, answer = ask(f"AssociatePhoneNumbersWithVoiceConnector{name}", told)
        return answer["PhoneNumberErrors"] if outcome == "Success" else outcome

    force, denied = {"ForceAssociate": True}, "AccessDeniedException"
    for number in (theirs, grouped):
        assert associate(ask, mine, number, **force) == denied
        (error,) = associate(ask, mine, number)
        assert error["ErrorCode"] == "Conflict"
    assert associate(ask, mine, "+12065559999", **force)[0]["ErrorCode"] == "NotFound"
    ask = asking(house, new_key(operator, ["chime:*"], resources))
    assert associate(ask, theirs, **force) == denied
    assert associate(ask, theirs, name="Group", **force) == denied
    assert associate(ask, grouped, **force) == []
    assert associate(ask, grouped, name="Group", **force) == []
    owner = stage.call("GetPhoneNumber", PhoneNumberId=theirs)["PhoneNumber"]["Associations"]
    assert [each["Value"] for each in owner] == [other_id]


def test_a_key_for_one_connector_puts_no_other_into_a_group(
    house: House, stage: Stage, operator: Any
) -> None:
    other_id, other_arn = stage.new_connector()
    group = stage.call("CreateVoiceConnectorGroup", Name="mine")["VoiceConnectorGroup"]
    resources = [stage.arn, group["VoiceConnectorGroupArn"]]

    def update(ask: Ask, *connector_ids: str) -> str:
        items = [{"VoiceConnectorId": each, "Priority": 1} for each in connector_ids]
        named = {"VoiceConnectorGroupId": group["VoiceConnectorGroupId"], "Name": "mine"}
        return ask("UpdateVoiceConnectorGroup", {**named, "VoiceConnectorItems": items})[1]

    ask = asking(house, new_key(operator, ["chime:*"], resources))
    assert update(ask, stage.connector_id) == "Success"
    denied = refusal("UpdateVoiceConnectorGroup")
    for stranger in (other_id, "a" * 22):  # it is not told which of the two is there
        assert update(ask, stage.connector_id, stranger) == denied
    ask = asking(house, new_key(operator, ["chime:*"], [*resources, other_arn]))
    assert update(ask, stage.connector_id, other_id) == "Success"


def test_another_account_does_not_exist(house: House, stage: Stage) -> None:
    """Nothing that names what an account has is told from what nobody has."""
    ask = asking(house, house.new_tenant())
    for name in sorted({*READS, *WRITES} - AT_LARGE):
        _, outcome, answer = ask(name, stage.request(name, None))
        if "PhoneNumberErrors" in answer:  # one for each number that the request names
            codes = {each["ErrorCode"] for each in answer["PhoneNumberErrors"]}
            assert (name, codes) == (name, {"NotFound"})
        elif name == "CreateVoiceConnectorGroup":
            assert outcome == "NotFoundException"  # the connector that it names
        else:
            assert (name, outcome) == (name, "NotFoundException")
    lists = ("ListPhoneNumbers", "ListVoiceConnectors", "ListVoiceConnectorGroups",
             "ListPhoneNumberOrders")  # fmt: skip
    for name in lists:
        answer = ask(name, {})[2]
        assert [value for value in answer.values() if isinstance(value, list)] == [[]]


def test_a_disabled_key_is_told_so(house: House, operator: Any) -> None:
    key = new_key(operator, ["*"], ["*"])
    ask = asking(house, key)
    assert ask("ListVoiceConnectors", {})[1] == "Success"
    operator.update_access_key(AccessKeyId=key.id, Status="Inactive")
    assert ask("ListVoiceConnectors", {})[1] == "UnauthorizedClientException"
    operator.update_access_key(AccessKeyId=key.id, Status="Active")
    assert ask("ListVoiceConnectors", {})[1] == "Success"
