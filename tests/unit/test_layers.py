"""Imports run downwards only: the house's layers, held by reading the import statements."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "maskline"

# A room may import the rooms named here (and itself), nothing else of ours.
LEAVES = {"settings", "logs", "guard", "courier", "clock"}
ALLOWED: dict[str, set[str]] = {
    "domain": set(),
    "model": set(),
    "settings": {"domain"},
    "logs": {"domain"},
    "guard": set(),
    "courier": set(),
    "clock": set(),
    "store": {"domain"},
    "operations": {"domain", "model", "store"} | LEAVES,
    "web": {"domain", "model", "store", "operations"} | LEAVES,
    "sms": {"domain", "model", "store", "operations"} | LEAVES,
    "cli": {"domain", "model", "store"} | LEAVES,
    "engines": {"domain", "model", "store", "operations"} | LEAVES,
    "daemon": {"domain", "model", "store", "operations", "web", "sms", "engines"} | LEAVES,
    "__main__": {"daemon", "cli", "engines"} | LEAVES,
    "__init__": set(),
}


def room(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path}: relative import; write the whole name")
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "maskline":
                names = [f"maskline.{alias.name}" for alias in node.names]
        rooms |= {n.split(".")[1] for n in names if n.startswith("maskline.")}
    return rooms - {"__version__"}


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_imports_run_downwards(path: Path) -> None:
    own = room(path)
    assert imported_rooms(path) <= ALLOWED[own] | {own}


def test_domain_is_standard_library_only() -> None:
    import sys

    for path in (SOURCE / "domain").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                assert top == "maskline" or top in sys.stdlib_module_names, f"{path}: {name}"


def test_the_steps_of_the_schema_are_numbered_without_gaps_or_doubles() -> None:
    """Two branches that each added one meet here before any database sees it."""
    folder = SOURCE / "store" / "migrations" / "sqlite"
    numbers = sorted(int(path.name[:4]) for path in folder.glob("*.sql"))
    assert numbers == list(range(1, len(numbers) + 1))
