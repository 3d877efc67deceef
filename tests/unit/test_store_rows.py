from dataclasses import fields

from maskline.domain.connector import Rules, TextRules
from maskline.operations.connector_rules import MEMBERS, TEXT_MEMBERS
from maskline.store.rows import RULES, TEXT_RULES

# What holds for the whole service alone, and what is told by other members of a connector.
SERVICE_WIDE = {"max_characters", "max_media"}
ELSEWHERE = {"texts", "encrypted", "ceilings"}


def test_every_rule_is_stored_and_shown() -> None:
    names = {field.name for field in fields(Rules)} - ELSEWHERE
    assert RULES.keys() == names == set(MEMBERS.values())


def test_every_rule_of_texts_is_stored_and_shown() -> None:
    names = {field.name for field in fields(TextRules)} - SERVICE_WIDE
    columns = {name: column for name, (column, _) in TEXT_RULES.items()}
    assert columns.keys() == names
    assert columns == {name: column for column, name in TEXT_MEMBERS.values()}
