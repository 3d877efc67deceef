import re

from desk import Desk

from maskline.operations import bootstrap_account, find_access_key


def test_the_first_account_is_made_once() -> None:
    desk = Desk()
    assert re.fullmatch(r"[0-9]{12}", desk.account_id)
    assert bootstrap_account(desk.context("")) is None


def test_the_first_key_may_do_everything_and_is_stored_sealed() -> None:
    desk = Desk()
    desk.connection.execute("DELETE FROM access_keys")
    desk.connection.execute("DELETE FROM accounts")
    credentials = bootstrap_account(desk.context(""))
    assert credentials is not None
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", credentials.access_key_id)
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", credentials.secret_access_key)
    key = find_access_key(desk.tx, credentials.access_key_id)
    assert key is not None
    assert key.secret_access_key == credentials.secret_access_key
    assert (key.account_id, key.active) == (credentials.account_id, True)
    assert (key.actions, key.resources) == (("*",), ("*",))
    dump = "\n".join(desk.connection.iterdump())
    assert credentials.secret_access_key not in dump


def test_an_unknown_key_is_none() -> None:
    assert find_access_key(Desk().tx, "AKIANOBODY") is None
