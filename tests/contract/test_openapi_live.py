"""The OpenAPI document and the server hold each other true: schemathesis asks by the document."""

import json
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from databases import new_store_url
from door import REGION
from house import House
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from maskline.cli.signer import AccessKey
from maskline.web.openapi import PATH


def wrong_is_refused(context: Any, response: Any, case: Any) -> bool | None:
    """What does not follow the document is refused; except null, which counts as left out.

    What is too long for a URL is refused too, with a status that schemathesis does not expect.
    """
    if "null" in json.dumps(case.body, default=str) or response.status_code == TOO_LONG:
        return None
    answer: bool | None = negative_data_rejection(context, response, case)
    return answer


CHECKS = [
    content_type_conformance,
    wrong_is_refused,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
TOO_LONG = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
EXAMPLES = 2  # of right and of wrong requests for each operation


class Signed(requests.auth.AuthBase):
    """Signs what goes out as botocore does."""

    def __init__(self, key: AccessKey) -> None:
        self._signer = SigV4Auth(Credentials(key.id, key.secret), "chime", REGION)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        signed = AWSRequest(request.method, request.url, data=body)
        self._signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


@pytest.fixture
def house(request: pytest.FixtureRequest, costly_database: str, tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, new_store_url(request, costly_database, tmp_path)).open() as house:
        yield house


def test_the_server_does_what_its_document_says(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    # Who asks is not schemathesis' to say: every request is signed.
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    schema = schemathesis.openapi.from_url(house.url + PATH, config=config)
    asked = 0
    with requests.Session() as session:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in GenerationMode:
                asked += ask(operation, mode, session, Signed(house.operator))
    with capsys.disabled():
        print(f"\n{asked} requests made by the OpenAPI document")
    assert asked > 200


def ask(operation: Any, mode: GenerationMode, session: requests.Session, auth: Signed) -> int:
    """Sends some requests of an operation, right or wrong ones; how many there were."""
    asked = 0

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(session=session, auth=auth, checks=CHECKS)

    with suppress(Unsatisfiable):  # what has no input cannot be asked wrongly
        one()
    return asked
