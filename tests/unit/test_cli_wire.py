"""What a request says for the parameters of a call."""

import pytest

from maskline.cli import wire
from maskline.cli.arguments import options_of, parameters_from
from maskline.cli.services import SERVICES, operations_of
from maskline.cli.validation import check


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2024-01-01T00:00:00Z", "2024-01-01T00%3A00%3A00%2B00%3A00"),
        ("2024-01-01T00:00:00+02:00", "2024-01-01T00%3A00%3A00%2B02%3A00"),
        ("'2024-01-01'", "2024-01-01"),
    ],
)
def test_moments_in_yaml_need_no_quotes(moment: str, told: str) -> None:
    operation = operations_of(SERVICES["admin"])["list-calls"]
    document = {"cli-input-yaml": f"ReceivedFrom: {moment}"}
    parameters = parameters_from(options_of(operation), document)
    check(operation.input, parameters)
    assert wire.build(operation, parameters).target == f"/admin/calls?received-from={told}"
