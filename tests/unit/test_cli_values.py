"""Values from what is typed: shorthand, and what shapes make of it."""

import pytest

from maskline.cli import shorthand
from maskline.cli.names import kebab


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=b", {"a": "b"}),
        ("a=b,c=d", {"a": "b", "c": "d"}),
        ("a = b , c = d", {"a": "b", "c": "d"}),
        ("a=", {"a": ""}),
        ("a=b,c", {"a": ["b", "c"]}),
        ("a=b,c,d=e", {"a": ["b", "c"], "d": "e"}),
        ("a=[b,c],d=e", {"a": ["b", "c"], "d": "e"}),
        ("a=[]", {"a": []}),
        ("a={b=c,d={e=f}}", {"a": {"b": "c", "d": {"e": "f"}}}),
        ("a=[{b=c},{b=d}]", {"a": [{"b": "c"}, {"b": "d"}]}),
        ("a='b,c'", {"a": "b,c"}),
        ('a="b=c"', {"a": "b=c"}),
        (r"a='it\'s'", {"a": "it's"}),
        (r"a=b\,c", {"a": "b,c"}),
        (r'a="back\\slash"', {"a": "back\\slash"}),
        ("a=b c", {"a": "b c"}),
        ("a.b/c:d#e-f_0=x", {"a.b/c:d#e-f_0": "x"}),
        ("a=Grüße", {"a": "Grüße"}),
    ],
)
def test_shorthand(text: str, value: dict[str, object]) -> None:
    assert shorthand.parse("--option", text) == value


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a", "a\n ^"),
        ("a=b,", "a=b,\n    ^"),
        ("a=[b", "a=[b\n    ^"),
        ("a={b", "a={b\n    ^"),
        ("a='b", "a='b\n  ^"),
        ("a==b", "a==b\n  ^"),
        ("a=b,\nc=[d", "a=b,\nc=[d\n    ^"),
        ("a=b\n]\nc", "a=b\n]\n^\nc"),
    ],
)
def test_faults_in_shorthand_are_pointed_at(text: str, place: str) -> None:
    with pytest.raises(shorthand.NotShorthand) as caught:
        shorthand.parse("--option", text)
    assert str(caught.value).endswith(place)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("CreateProxySession", "create-proxy-session"),
        ("FallBackPhoneNumber", "fall-back-phone-number"),
        ("E164PhoneNumbers", "e164-phone-numbers"),
        ("SipMediaApplicationId", "sip-media-application-id"),
        ("GetSMAUsage", "get-sma-usage"),
    ],
)
def test_names_on_the_command_line(name: str, option: str) -> None:
    assert kebab(name) == option
