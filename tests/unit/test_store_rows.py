from dataclasses import fields

from maskline.domain.connector import Rules
from maskline.operations.connector_rules import MEMBERS
from maskline.store.rows import RULES


def test_every_rule_is_stored_and_shown() -> None:
    names = {field.name for field in fields(Rules)}
    assert RULES.keys() == names == set(MEMBERS.values())
