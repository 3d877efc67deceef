"""The formats of `--output`: odd shapes and wide characters, which the table does not hold."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from maskline.cli import output, watch
from maskline.cli.faults import Fault


def written(form: str, value: Any, color: str = "off") -> str:
    stream = io.StringIO()
    output.write(form, "GetThing", value, stream, color)
    return stream.getvalue()


@pytest.mark.parametrize("form", output.FORMATS)
def test_nothing_is_shown_as_nothing(form: str) -> None:
    assert written(form, {}) == ""


def test_an_unknown_format() -> None:
    with pytest.raises(Fault, match="Unknown output type: xml"):
        written("xml", {})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"B": 1, "A": "x"}, "x\t1\n"),
        ({"S": {"B": True, "A": None}}, "S\tNone\tTrue\n"),
        ({"L": ["a", "b"]}, "L\ta\nL\tb\n"),
        (["a", 1], "a\t1\n"),
        ([["a", "b"], ["c", "d"]], "a\tb\nc\td\n"),
        ({"L": [{"A": 1, "B": 2}, {"B": 3}]}, "L\t1\t2\nL\t\t3\n"),
        ({"L": [{"A": 1, "M": ["x"]}]}, "L\t1\nM\tx\n"),
        ({"L": []}, ""),
        ("x", "x\n"),
        (None, "None\n"),
    ],
)
def test_text(value: Any, text: str) -> None:
    assert written("text", value) == text


def test_a_structure_with_one_scalar_is_a_row_of_its_own() -> None:
    assert written("table", {"Name": "x"}) == (
        "---------------\n|  GetThing   |\n+-------+-----+\n|  Name |  x  |\n+-------+-----+\n"
    )


@pytest.mark.parametrize(
    ("nested", "flat"),
    [([[{"A": 1}], [{"A": 2}]], [{"A": 1}, {"A": 2}]), ([[["a", "b"]]], [["a", "b"]])],
)
def test_lists_of_lists_are_one_box(nested: Any, flat: Any) -> None:
    """As AWS CLI 2.36 draws what `ProxySessions[].Participants` picks."""
    assert written("table", nested) == written("table", flat)


def test_wide_characters_take_two_columns() -> None:
    table = written("table", {"Name": "漢字", "Other": "abcd"})
    row = next(line for line in table.split("\n") if "漢字" in line)
    assert row == "|  漢字 |  abcd   |"
    assert len(row) + 2 == len(table.split("\n")[0])


def test_a_table_wider_than_the_terminal_stands_upright() -> None:
    value = {"Aaaaaaaaaaaaaaaaaaaaaaaaa": "x" * 30, "Bbbbbbbbbbbbbbbb": "y" * 50}
    lines = written("table", value).split("\n")
    assert any("Aaaaaaaaaaaaaaaaaaaaaaaaa" in line and "x" * 30 in line for line in lines)


def test_colour_is_for_cells_and_changes_no_width() -> None:
    plain, colored = written("table", {"A": 1, "B": 2}), written("table", {"A": 1, "B": 2}, "on")
    assert "\033[" not in plain
    assert colored.replace("\033[1m\033[34m", "").replace("\033[0m", "") == plain


@pytest.mark.parametrize(
    ("option", "terminal", "variable", "is_coloured"),
    [
        ("auto", True, "", True),
        ("auto", True, "1", False),
        ("auto", False, "", False),
        ("on", False, "1", True),
        ("off", True, "", False),
    ],
)
def test_colour_where_it_is_wanted(
    option: str,
    terminal: bool,
    variable: str,
    is_coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", variable)
    assert output.colored(option, terminal) is is_coloured


def test_a_list_that_goes_on_is_watched_in_part(capsys: pytest.CaptureFixture[str]) -> None:
    watch.draw({"ProxySessions": [{}, {}]}, datetime(2026, 11, 29, tzinfo=UTC))
    watch.draw({"ProxySessions": [{}], "NextToken": "more"}, datetime(2026, 11, 29, tzinfo=UTC))
    out = capsys.readouterr().out
    assert " 2 proxy sessions at 00:00:00 UTC" in out
    assert "the first 1 proxy sessions at 00:00:00 UTC" in out


def test_columns_fill_the_width_to_the_last_character() -> None:
    value = {"L": [{"A": "1", "Bb": "22", "Ccc": "333"}], "Long": "z" * 41}
    widths = {len(line) for line in written("table", value).strip().split("\n")}
    assert len(widths) == 1


def test_a_pager_that_is_not_there() -> None:
    with pytest.raises(output.PagerFailed) as caught:
        output.page("text", "no-such-pager --fast")
    assert caught.value.status == 253


def test_a_pager_gets_the_text(capfd: pytest.CaptureFixture[str]) -> None:
    output.page("text\n", "cat")
    assert capfd.readouterr().out == "text\n"
