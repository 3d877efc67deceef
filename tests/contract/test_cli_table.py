"""Hundreds of invocations of the command line: what is printed, sent, and said at the end."""

from collections.abc import Iterator

import pytest
from contract.cli_cases import Case, Stage, cases, set_stage

CASES = cases()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_stage(tmp_path_factory.mktemp("stage")) as ready:
        yield ready


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 300
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_invocation(stage: Stage, case: Case) -> None:
    outcome = stage.play(case)
    assert outcome.stderr == case.stderr
    assert outcome.stdout == case.stdout
    assert outcome.exit == case.exit
    assert outcome.requests() == tuple(map(stage.unfill, map(stage.fill, case.requests)))
    assert outcome.body() == case.body
    assert outcome.signed_with() == (case.signed_with if case.requests else "")
