"""Numbers searched by city and state, and what libphonenumber's own geocoder says of them."""

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.test_boto3 import refused
from contract.web_clients import CLIENTS
from house import House

from maskline.operations.cities import TABLE, is_state, spans_of

WASHINGTON = ["+12065550170", "+15095550170"]
NEW_YORK = ["+12125550170", "+13325550170"]
MONTREAL = "+12635550170"

PYTHON = CLIENTS / "phonenumbers-9.0.42" / "bin" / "python"
TOOL = Path(__file__).parents[2] / "tools" / "cities"
ASK = """
import json, sys
from phonenumbers import geocoder, parse
numbers = map(parse, json.load(sys.stdin))
print(json.dumps([geocoder.description_for_number(number, "en") for number in numbers]))
"""
needs_geocoder = pytest.mark.skipif(
    not PYTHON.exists(), reason="tools/client-venvs installs the geocoder"
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, module_url: str) -> Iterator[Any]:
    with House(tmp_path_factory.mktemp("house"), module_url).open() as house:
        house.import_numbers(*WASHINGTON, *NEW_YORK, MONTREAL, shared=False)
        yield house.client()


def test_searching_by_city_and_state(client: Any) -> None:
    def search(**criteria: Any) -> list[str]:
        found: list[str] = client.search_available_phone_numbers(**criteria)["E164PhoneNumbers"]
        return found

    assert search(City="New York", State="NY", Country="US") == NEW_YORK
    assert search(City="new york", State="ny") == NEW_YORK
    assert search(City="New York", State="NY", AreaCode="332") == NEW_YORK[1:]
    assert search(City="New York", State="NY", Country="CA") == []
    assert search(City="Montreal", State="QC") == [MONTREAL]
    assert search(City="Buffalo", State="NY") == []
    assert search(City="New York", State="TX") == []
    assert search(State="WA") == WASHINGTON
    first = client.search_available_phone_numbers(State="NY", MaxResults=1)
    rest = client.search_available_phone_numbers(State="NY", NextToken=first["NextToken"])
    assert first["E164PhoneNumbers"] + rest["E164PhoneNumbers"] == NEW_YORK
    for wrong, told in (({"City": "New York"}, "State"), ({"State": "New York"}, "two letters")):
        error = refused(client, "BadRequestException", lambda wrong=wrong: search(**wrong))
        assert told in error["Error"]["Message"]


@needs_geocoder
def test_the_table_is_what_the_tool_makes_of_the_geocoder() -> None:
    assert subprocess.check_output([PYTHON, TOOL], text=True) == TABLE.read_text()


@needs_geocoder
def test_numbers_are_found_where_the_geocoder_sees_them() -> None:
    chance = random.Random(6)
    codes = [f"{chance.randrange(200, 990)}{chance.randrange(200, 1000)}" for _ in range(20_000)]
    numbers = [f"+1{code}0123" for code in codes]
    said = subprocess.run(
        [PYTHON, "-c", ASK], input=json.dumps(numbers), capture_output=True, text=True, check=True
    )
    seen = 0
    for number, text in zip(numbers, json.loads(said.stdout), strict=True):
        *_, city, state = ["", *text.split(", ")]
        if not is_state(state):
            continue
        seen += 1
        assert is_in(number, state)
        assert is_in(number, state, city)
    assert seen > 1000


def is_in(number: str, *place: str) -> bool:
    return any(span.first <= number < span.end for span in spans_of(*place))
