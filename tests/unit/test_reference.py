"""The generated pages of the documentation say what the models say."""

import subprocess
import sys
from pathlib import Path

from maskline.model import load
from maskline.model.support import Degree, anchor, notes, support
from maskline.operations import TABLE

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference"


def test_the_pages_are_those_that_the_models_make(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "reference", tmp_path], check=True)
    made = {page.name: page.read_text() for page in tmp_path.iterdir()}
    assert len(made) == 3
    stale = [name for name, text in made.items() if (PAGES / name).read_text() != text]
    assert stale == [], "run tools/reference"


def test_every_operation_has_a_section() -> None:
    for service, page in (("chime-sdk-voice", "api-chime.md"), ("maskline", "api-maskline.md")):
        text = (PAGES / page).read_text()
        assert all(f"\n## {name}\n" in text for name in load(service).operations)


def test_every_operation_of_awss_is_accounted_for() -> None:
    offered = {name for service, name in TABLE if service == "chime-sdk-voice"}
    assert support().keys() == offered | load("refused").operations.keys()
    refused = {name for name, one in support().items() if one.degree is Degree.REFUSED}
    assert refused == support().keys() - offered
    assert all(one.services for one in support().values())


def test_every_reason_is_of_use() -> None:
    """A pattern that is about nothing, or a title without a place in the page, would be a lie."""
    page = (PAGES / "support.md").read_text()
    titles = {one.title for one in support().values()} - {""}
    entries = [entry for kind in ("partly", "stored", "refused") for entry in notes()[kind]]
    assert titles == {entry["title"] for entry in entries}
    assert all(f"\n### {title}\n" in page for title in titles)
    assert all(one.page == f"docs/reference/support.md#{anchor(one.title)}"
               for one in support().values() if one.title)  # fmt: skip


def test_what_only_the_newer_service_has_is_offered() -> None:
    assert set(notes()["not_of_chime"]) <= load("chime-sdk-voice").operations.keys()
