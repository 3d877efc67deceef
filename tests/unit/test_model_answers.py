"""What operations answer is what their models say: no member is lost on its way out."""

from typing import Any

import pytest
from desk import ANN, BEN, Desk, ids

from maskline.model import Shape, load
from maskline.model.validation import TYPES

PROXY = "+19135550199"
LEG = {"CallId": "a", "From": "b", "To": "c", "Target": "d"}


def strays(shape: Shape | None, value: Any, where: str = "") -> list[str]:
    """Where a value has a member that its shape has not, or is of another type."""
    if shape is None:
        return [where] if value else []
    if shape.type == "structure" and isinstance(value, dict):
        found = [f"{where}.{name}" for name in value if name not in shape.members]
        for name, member in shape.members.items():
            if value.get(name) is not None:
                found += strays(member, value[name], f"{where}.{name}")
        return found
    if shape.type == "list" and isinstance(value, list):
        return [each for item in value for each in strays(shape.member, item, f"{where}[]")]
    accepted = (int,) if shape.type == "timestamp" else TYPES[shape.type]
    right = isinstance(value, accepted) and (not shape.enum or value in shape.enum)
    return [] if right else [where]


@pytest.fixture
def desk() -> Desk:
    """A desk that looks at every answer."""
    desk = Desk()
    carry_out = desk.carry_out

    def watched(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = carry_out(service, operation, request)
        assert strays(load(service).operations[operation].output, answer, operation) == []
        return answer

    desk.carry_out = watched  # type: ignore[method-assign]
    return desk


def test_a_session_and_its_call(desk: Desk) -> None:
    desk.import_numbers(PROXY, "+1911")
    connector = desk.connector(FallBackPhoneNumber="+16175550103")
    session = desk.open(connector, ANN, BEN, GeoMatchParams={"Country": "US", "AreaCode": "206"})
    desk.maskline("EvaluateRoute", Caller=ANN, Called=PROXY)
    desk.maskline("EvaluateRoute", Caller="", Called=PROXY)
    call = desk.dial(ANN, PROXY)["CallId"]
    reports: dict[str, dict[str, Any]] = {
        "Ringing": {},
        "Answered": {"Legs": [LEG, LEG]},
        "Ended": {"EndedBy": "caller", "SipStatus": 200, "Cause": 16},
    }
    for event, more in reports.items():
        desk.report(call, event, **more)
    desk.dial("", PROXY)
    desk.record(call)
    assert desk.maskline("ListCalls", MaxResults=1)["NextToken"]
    desk.call("UpdateProxySession", **ids(session), Capabilities=["Voice"])
    desk.close(session)
    desk.get(session)
    desk.call("ListProxySessions", VoiceConnectorId=connector)
    desk.call("GetVoiceConnectorProxy", VoiceConnectorId=connector)
    desk.call("ListVoiceConnectors")


def test_strays_are_noticed() -> None:
    output = load("maskline").operations["GetCall"].output
    assert strays(output, {"Call": {"Nonsense": 1}}) == [".Call.Nonsense"]
    assert strays(output, {"Call": {"Decision": "Maybe"}}) == [".Call.Decision"]
    assert strays(output, {"Call": {"SipStatus": "200"}}) == [".Call.SipStatus"]
