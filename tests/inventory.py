"""Numbers that tests import, and what the answers say about them."""

from typing import Any

from desk import Desk

PROXY, SECOND, THIRD = "+19135550199", "+19135550198", "+19135550197"
OTHERS = "+19135550196"


def details(desk: Desk, number: str = PROXY) -> dict[str, Any]:
    answer: dict[str, Any] = desk.call("GetPhoneNumber", PhoneNumberId=number)["PhoneNumber"]
    return answer


def errors(answer: dict[str, Any]) -> dict[str, str]:
    """The code of each number that was refused."""
    return {each["PhoneNumberId"]: each["ErrorCode"] for each in answer["PhoneNumberErrors"]}
