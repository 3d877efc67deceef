"""A key that sends more than it may, and the SDK that waits and tries again."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from databases import new_store_url
from house import REGION, VOICE, House, session_of

from maskline.cli.signer import AccessKey

ONE_A_SECOND = {"max_requests_per_second": 1}


@pytest.fixture(scope="module")
def house(
    request: pytest.FixtureRequest,
    costly_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("throttled")
    url = new_store_url(request, costly_database, folder)
    with House(folder, url, **ONE_A_SECOND).open() as opened:
        yield opened


def client(house: House, key: AccessKey, **retries: Any) -> Any:
    return session_of(key).client(
        VOICE, endpoint_url=house.url, region_name=REGION, config=Config(retries=retries)
    )


def test_boto3_gets_through_by_trying_again(house: House) -> None:
    chime = client(house, house.new_tenant(), mode="legacy", max_attempts=10)
    tries = [chime.list_voice_connectors()["ResponseMetadata"]["RetryAttempts"] for _ in range(4)]
    assert tries[0] == 0
    assert sum(tries) > 0


def test_boto3_gives_up_at_once_in_the_mode_of_its_newer_versions(house: House) -> None:
    """It trusts the model of the service, Amazon's, which has no word on trying again; so the guide
    to the settings tells of the other mode."""
    chime = client(house, house.new_tenant(), mode="standard", max_attempts=10)

    def many() -> None:
        for _ in range(100):
            assert chime.list_voice_connectors()["ResponseMetadata"]["RetryAttempts"] == 0

    with pytest.raises(ClientError, match="ThrottledClientException"):
        many()


def test_the_refusal_has_the_name_and_says_when(house: House) -> None:
    hasty, other = (client(house, house.new_tenant(), max_attempts=0) for _ in range(2))

    def many() -> None:
        for _ in range(100):
            hasty.list_voice_connectors()

    with pytest.raises(ClientError) as told:
        many()
    metadata = told.value.response["ResponseMetadata"]
    assert told.value.response["Error"]["Code"] == "ThrottledClientException"
    assert metadata["HTTPStatusCode"] == 429
    assert metadata["HTTPHeaders"]["retry-after"] == "1"
    other.list_voice_connectors()
