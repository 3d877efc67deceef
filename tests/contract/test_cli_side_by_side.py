"""The same invocations, asked of the real AWS CLI as well: what differs is listed and explained.

Both AWS CLIs are of version 1, the newest with the old `chime` service and the newest of all. To
keep this short they take turns: each case is asked of one of them.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from contract.cli_cases import Case, Stage, cases, set_stage
from contract.cli_clients import CLIENTS, SERVICES, AwsCli, differences, running

EXPLANATIONS = Path(__file__).parents[2] / "docs" / "reference" / "cli-differences.md"
CASES = cases()
# Whatever these are about is unknown to version 1: there is nothing to compare.
NEWER = {"yaml", "newer-output-formats", "newer-program-options"}
SHARED = [case for case in CASES if not NEWER & set(case.differs)]
TURNS = [
    pytest.param(case, case.clients[number % len(case.clients)], id=case.id)
    for number, case in enumerate(SHARED)
]

pytestmark = pytest.mark.skipif(
    not all((CLIENTS / name / "installed").exists() for name in SERVICES),
    reason="tools/client-venvs installs the AWS CLIs",
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_stage(tmp_path_factory.mktemp("stage")) as ready:
        yield ready


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, AwsCli]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(running(name)) for name in SERVICES}


@pytest.mark.parametrize(("case", "client"), TURNS)
def test_the_real_one_does_the_same(
    stage: Stage, clients: dict[str, AwsCli], case: Case, client: str
) -> None:
    found = differences(stage.play(case), clients[client].play(stage, case))
    if case.differs:
        assert found, "they agree now: take the difference out of the table"
    else:
        assert found == []


def test_every_difference_is_explained() -> None:
    explained = set(re.findall(r"^### `([a-z-]+)`", EXPLANATIONS.read_text(), re.MULTILINE))
    assert explained == {reason for case in CASES for reason in case.differs}
