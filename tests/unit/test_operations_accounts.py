import re

import pytest
from desk import START, Desk

from maskline.clock import DAY
from maskline.domain.permissions import EVERYTHING, Grant
from maskline.domain.refusals import (
    BadRequest,
    Forbidden,
    LimitExceeded,
    NotFound,
    Unauthorized,
)
from maskline.model import load
from maskline.operations import (
    Context,
    Policy,
    bootstrap_account,
    changed_resource,
    find_access_key,
    pages,
    purge_audit_records,
    record_audit,
)
from maskline.operations.access_keys import create_access_key
from maskline.operations.context import Quotas


def test_the_first_account_is_made_once(desk: Desk) -> None:
    assert re.fullmatch(r"[0-9]{12}", desk.account_id)
    assert bootstrap_account(desk.context("")) is None


def test_a_key_is_stored_sealed(desk: Desk) -> None:
    made = desk.maskline("CreateAccessKey")["AccessKey"]
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", made["AccessKeyId"])
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", made["SecretAccessKey"])
    assert len(set(made["SecretAccessKey"])) > 10  # of 64 characters, by chance
    key = find_access_key(desk.tx, made["AccessKeyId"])
    assert key is not None
    assert key.secret_access_key == made["SecretAccessKey"]
    assert (key.account_id, key.active, key.grant) == (desk.account_id, True, EVERYTHING)
    assert made["SecretAccessKey"] not in desk.ground.dump()


def test_an_unknown_key_is_none(desk: Desk) -> None:
    assert find_access_key(desk.tx, "AKIANOBODY") is None


def test_keys_are_shown_without_their_secrets(desk: Desk) -> None:
    lists = {"Actions": ["chime:Get*"], "Resources": ["*"]}
    made = desk.maskline("CreateAccessKey", **lists)["AccessKey"]
    made.pop("SecretAccessKey")
    assert made == {
        "AccessKeyId": made["AccessKeyId"],
        "AccountId": desk.account_id,
        "Status": "Active",
        **lists,
        "CreatedTimestamp": START,
    }
    listed = desk.maskline("ListAccessKeys")["AccessKeys"]
    assert made in listed
    assert len(listed) == 2


@pytest.mark.parametrize("most", [pages.MOST_CHARACTERS, 15])
def test_keys_are_listed_page_by_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(pages, "MOST_CHARACTERS", most)  # with 15, a page has one key
    made = {desk.maskline("CreateAccessKey")["AccessKey"]["AccessKeyId"] for _ in range(4)}
    found: list[str] = []
    token = None
    while True:
        page = desk.maskline("ListAccessKeys", MaxResults=2, NextToken=token)
        found += [key["AccessKeyId"] for key in page["AccessKeys"]]
        assert len(page["AccessKeys"]) <= (1 if most == 15 else 2)
        token = page.get("NextToken")
        if token is None:
            break
    assert len(found) == len(set(found)) == 5
    assert made < set(found)


def test_a_key_is_rotated_disabled_and_deleted(desk: Desk) -> None:
    actions = ["chime:Get*"]
    old = desk.maskline("CreateAccessKey", Actions=actions)["AccessKey"]
    new = desk.maskline("RotateAccessKey", AccessKeyId=old["AccessKeyId"])["AccessKey"]
    assert new["AccessKeyId"] != old["AccessKeyId"]
    assert new["Actions"] == actions
    request = {"AccessKeyId": old["AccessKeyId"]}
    shown = desk.maskline("UpdateAccessKey", **request, Status="Inactive")["AccessKey"]
    assert (shown["Status"], shown["Actions"]) == ("Inactive", actions)
    shown = desk.maskline("UpdateAccessKey", **request, Resources=["arn:x"])["AccessKey"]
    assert (shown["Status"], shown["Resources"]) == ("Inactive", ["arn:x"])
    key = find_access_key(desk.tx, old["AccessKeyId"])
    assert key is not None
    assert not key.active
    desk.maskline("DeleteAccessKey", **request)
    for operation in ("DeleteAccessKey", "UpdateAccessKey", "RotateAccessKey"):
        with pytest.raises(NotFound):
            desk.maskline(operation, **request)


def with_key(desk: Desk, grant: Grant) -> Context:
    made = desk.maskline(
        "CreateAccessKey", Actions=list(grant.actions), Resources=list(grant.resources)
    )
    return desk.context()._replace(access_key_id=made["AccessKey"]["AccessKeyId"])


def test_no_key_gives_more_than_it_has(desk: Desk) -> None:
    context = with_key(desk, Grant(("maskline:*", "chime:Get*"), ("*",)))
    create_access_key(context, {"Actions": ["chime:GetProxySession"]})
    for more in ({}, {"Actions": ["*"]}, {"Actions": ["chime:*"]}):
        with pytest.raises(Forbidden):
            create_access_key(context, more)


def test_a_key_manages_no_key_that_may_do_more(desk: Desk) -> None:
    """Nor does one of the operator's with a short list, in another account."""
    tenant = desk.maskline("CreateAccount", Name="tenant")["AccessKey"]
    weaker = {"Actions": ["chime:Get*"]}
    equal, weak, strong, other = (
        {"AccessKeyId": desk.maskline("CreateAccessKey", **grant)["AccessKey"]["AccessKeyId"]}
        for grant in ({"Actions": ["maskline:*", "chime:Get*"]}, weaker, {}, {"Resources": ["x"]})
    )
    desk.access_key_id = equal["AccessKeyId"]
    for key in (strong, other, {"AccessKeyId": tenant["AccessKeyId"]}):
        for operation, change in (
            ("DeleteAccessKey", {}),
            ("RotateAccessKey", {}),
            ("UpdateAccessKey", {"Status": "Inactive"}),
            ("UpdateAccessKey", weaker),
        ):
            with pytest.raises(Forbidden):
                desk.maskline(operation, **key, **change)
    desk.maskline("UpdateAccessKey", **weak, Status="Inactive")
    desk.maskline("DeleteAccessKey", **weak)
    desk.maskline("UpdateAccessKey", **equal, **weaker)  # itself, for good
    with pytest.raises(Forbidden):
        desk.maskline("UpdateAccessKey", **equal, Actions=["maskline:*"])


def test_a_key_is_rotated_although_the_account_has_all_that_it_can_have(desk: Desk) -> None:
    desk.policy = Policy(quotas=Quotas(access_keys=2))
    old = {"AccessKeyId": desk.maskline("CreateAccessKey")["AccessKey"]["AccessKeyId"]}
    desk.maskline("RotateAccessKey", **old)
    for operation, request in (("CreateAccessKey", {}), ("RotateAccessKey", old)):
        with pytest.raises(LimitExceeded, match="2 access keys"):
            desk.maskline(operation, **request)
    desk.maskline("DeleteAccessKey", **old)
    with pytest.raises(LimitExceeded):
        desk.maskline("CreateAccessKey")


def test_how_many_keys_an_account_can_have(desk: Desk) -> None:
    desk.policy = Policy(quotas=Quotas(access_keys=3))
    made = [desk.maskline("CreateAccessKey")["AccessKey"]["AccessKeyId"] for _ in range(2)]
    disabled = {"AccessKeyId": made[0]}
    desk.maskline("UpdateAccessKey", **disabled, Status="Inactive")
    with pytest.raises(LimitExceeded, match="3 access keys"):
        desk.maskline("CreateAccessKey")
    for operation in ("CreateAccessKey", "RotateAccessKey"):
        assert "ResourceLimitExceededException" in load("maskline").operations[operation].errors
    tenant = desk.tenant()
    for _ in range(2):
        desk.maskline("CreateAccessKey", AccountId=tenant)
    with pytest.raises(LimitExceeded):
        desk.maskline("CreateAccessKey", AccountId=tenant)
    desk.maskline("DeleteAccessKey", **disabled)
    desk.maskline("CreateAccessKey")


def test_no_key_has_patterns_of_many_stars(desk: Desk) -> None:
    made = desk.maskline("CreateAccessKey")["AccessKey"]["AccessKeyId"]
    many = {"Resources": ["arn:" + "*a" * 17]}
    with pytest.raises(BadRequest):
        desk.maskline("CreateAccessKey", **many)
    with pytest.raises(BadRequest):
        desk.maskline("UpdateAccessKey", AccessKeyId=made, **many)
    assert len(desk.maskline("ListAccessKeys")["AccessKeys"]) == 2


def test_a_key_does_not_lock_itself_out(desk: Desk) -> None:
    context = with_key(desk, EVERYTHING)
    desk.access_key_id = context.access_key_id
    request = {"AccessKeyId": context.access_key_id}
    with pytest.raises(BadRequest):
        desk.maskline("DeleteAccessKey", **request)
    with pytest.raises(BadRequest):
        desk.maskline("UpdateAccessKey", **request, Status="Inactive")


@pytest.mark.parametrize("operation", ["UpdateAccessKey", "DeleteAccessKey"])
def test_a_key_that_another_process_took_away_does_nothing_to_keys(
    desk: Desk, operation: str
) -> None:
    """This process may take it as it was for a moment more; the store says what it is."""
    other = {"AccessKeyId": desk.maskline("CreateAccessKey")["AccessKey"]["AccessKeyId"]}
    context = with_key(desk, EVERYTHING)
    own = {"AccessKeyId": context.access_key_id}
    desk.maskline(operation, **own, Status="Inactive")
    desk.access_key_id = context.access_key_id
    for attempt, request in (
        ("CreateAccessKey", {}),
        ("RotateAccessKey", other),
        ("UpdateAccessKey", {**own, "Status": "Active"}),
        ("UpdateAccessKey", {**other, "Status": "Inactive"}),
        ("DeleteAccessKey", other),
        ("CreateAccount", {"Name": "tenant"}),
    ):
        with pytest.raises((Unauthorized, NotFound)):
            desk.maskline(attempt, **request)
    keys = desk.maskline("ListAccessKeys")["AccessKeys"]
    assert [each["Status"] for each in keys if each["AccessKeyId"] != own["AccessKeyId"]] == [
        "Active",
        "Active",
    ]


def test_the_operator_makes_accounts(desk: Desk) -> None:
    made = desk.maskline("CreateAccount", Name="tenant")
    tenant = made["Account"]["AccountId"]
    assert made["Account"] == {"AccountId": tenant, "Name": "tenant", "CreatedTimestamp": START}
    key = find_access_key(desk.tx, made["AccessKey"]["AccessKeyId"])
    assert key is not None
    assert key.account_id == tenant
    names = {each["Name"] for each in desk.maskline("ListAccounts")["Accounts"]}
    assert names == {"default", "tenant"}
    another = desk.maskline("CreateAccessKey", AccountId=tenant)["AccessKey"]
    listed = desk.maskline("ListAccessKeys", AccountId=tenant)["AccessKeys"]
    assert {each["AccessKeyId"] for each in listed} == {
        key.access_key_id,
        another["AccessKeyId"],
    }
    desk.maskline("DeleteAccessKey", AccessKeyId=another["AccessKeyId"])


def test_a_tenant_is_alone_in_the_world(desk: Desk) -> None:
    operator = desk.account_id
    own_key = desk.maskline("ListAccessKeys")["AccessKeys"][0]["AccessKeyId"]
    desk.account_id = desk.tenant()
    for operation in ("CreateAccount", "ListAccounts"):
        with pytest.raises(Forbidden):
            desk.maskline(operation, Name="x")
    with pytest.raises(Forbidden):
        desk.maskline("CreateAccessKey", AccountId=operator)
    for operation in ("UpdateAccessKey", "RotateAccessKey", "DeleteAccessKey"):
        with pytest.raises(NotFound):
            desk.maskline(operation, AccessKeyId=own_key)
    mine = {"AccessKeyId": desk.maskline("CreateAccessKey")["AccessKey"]["AccessKeyId"]}
    shown = desk.maskline("UpdateAccessKey", **mine, Status="Inactive")["AccessKey"]
    assert (shown["AccountId"], shown["Status"]) == (desk.account_id, "Inactive")
    assert desk.maskline("DeleteAccessKey", **mine) == {}


def test_an_unknown_account_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.maskline("CreateAccessKey", AccountId="999999999999")


def test_the_bucket_of_global_settings(desk: Desk) -> None:
    assert desk.call("GetGlobalSettings") == {"VoiceConnector": {"CdrBucket": None}}
    desk.call("UpdateGlobalSettings", VoiceConnector={"CdrBucket": "b"})
    assert desk.call("GetGlobalSettings") == {"VoiceConnector": {"CdrBucket": "b"}}


def test_a_text_that_is_sent_again_is_named_itself(desk: Desk) -> None:
    message = {"MessageId": "m", "ProxySessionId": "p", "VoiceConnectorId": "v"}
    named = changed_resource(desk.context(), {"MessageId": "m"}, {"Message": message}, None)
    assert named == "arn:aws:chime:::message/m"


def test_what_was_changed_is_on_record(desk: Desk) -> None:
    record_audit(desk.context(), "chime:CreateVoiceConnector", None, "r1", "Success")
    desk.now += 1
    record_audit(desk.context(), "chime:DeleteVoiceConnector", "arn:x", "r2", "NotFoundException")
    newest, oldest = desk.maskline("ListAuditRecords")["AuditRecords"]
    assert oldest["Action"] == "chime:CreateVoiceConnector"
    assert newest == {
        "Timestamp": START + 1,
        "AccessKeyId": None,
        "Action": "chime:DeleteVoiceConnector",
        "Resource": "arn:x",
        "RequestId": "r2",
        "Outcome": "NotFoundException",
    }
    desk.now = START + 365 * DAY
    assert purge_audit_records(desk.context("")) == 1
