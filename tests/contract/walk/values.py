"""Right and wrong values of a shape, by the facts that its model gives about it."""

import re

# Pattern -> values that match it and values that do not. Every pattern of a model must be here.
PATTERNS = {
    r"^\+?[1-9]\d{1,14}$": (
        ["+12065550188", "12065550188", "+4930901820"],
        ["", "+", "+0206", "206-555-0188", "+1234567890123456", "+1206555018٣", "+12065550188\n"],
    ),
    r"^$|^[a-zA-Z0-9 ]{2,15}$": (["", "ab", "A b 9" * 3], ["a", "b" * 16, "a-b", "é" * 3, "ab\n"]),
    r"^$|^[a-zA-Z0-9\,\.\_\-]+(\s+[a-zA-Z0-9\,\.\_\-]+)*$": (
        ["", "a", "front  desk, no._-7", "x" * 256],
        [" ", "a ", " a", "a!b", "ä", "x" * 257],
    ),
    r"^$|^[a-zA-Z0-9 ]{0,30}$": (["", " ", "A to B", "x" * 30], ["x" * 31, "a_b", "ü", "a\n"]),
    r"^$|^[A-Z]{2,2}$": (["", "US"], ["us", "U", "USA", "U1", "US\n"]),
    r"^$|^[0-9]{3,3}$": (["", "206"], ["20", "2066", "2o6", "٣٣٣"]),
    r"[A-Z]{2}": (["US", "CA"], ["us", "U", "USA", ""]),
    r"[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}": (
        ["0a1b2c3d-0a1b-2c3d-4e5f-0123456789ab", "0A1B2C3D-0a1b-2c3d-4e5f-0123456789AB"],
        ["x", "0a1b2c3d0a1b2c3d4e5f0123456789ab", "0a1b2c3d-0a1b-2c3d-4e5f-0123456789abc"],
    ),
    r"^arn[\/\:\-\_\.a-zA-Z0-9]+$": (
        ["arn:aws:chime:us-east-1:123456789012:vc/x", "arn:x"],
        ["arn", "aws:arn:x", "arn:a b", "arn:x*"],
    ),
    r"^8(00|33|44|55|66|77|88)$": (["800", "888"], ["811", "900", "8000"]),
    r".*\S.*": (["a", " a ", "a+b/c%2F"], [" ", "\t "]),
    r"[A-Za-z0-9_]+": (["AKIA0EXAMPLE_0"], ["a-b", "a b", "ä", "a\n"]),
    r"[0-9]{12}": (["123456789012"], ["", "12345678901", "1234567890123", "٣" * 12]),
    r"\*|(chime|maskline):[A-Za-z*]+": (
        ["*", "chime:*", "maskline:List*Numbers"],
        ["", "**", "chime", "chime:", "s3:Get*", "chime:Get Call", "Chime:*", "chime:*\n"],
    ),
    r"\*|arn:\S+": (["*", "arn:aws:chime:::vc/*"], ["", "vc/x", "arn:", "arn:a b", "arn:a\n"]),
}

# What is no value of a type in JSON.
OTHER_TYPES = {
    "string": [5, True, ["text"], {"a": "text"}],
    "integer": ["5", 1.5, True, [5], {"a": 5}],
    "boolean": ["true", 1, [True], {}],
    "list": ["text", 5, True, {"a": "text"}],
    "structure": ["text", 5, True, ["text"]],
}
LARGEST = 2**31 - 1
IN_A_QUERY = {
    "integer": ["abc", "1.5", "", "1e1", " 1", "٣", "9" * 40],
    "boolean": ["yes", "1"],
    "timestamp": [
        "yesterday",
        "",
        "1785542400",
        "2026-02-30",
        "2026-08-01T24:01:00Z",
        "٢٠٢٦-08-01",
    ],
}
TIMES = ["1900-01-01T00:00:00Z", "2026-08-01T12:30:00.25+02:00", "9999-12-31T23:59:59.999999Z"]


def right(facts):
    """(what, value) of single values at and within the limits; none for lists and structures."""
    kind = facts["type"]
    if kind == "boolean":
        return [("true", True), ("false", False)]
    if kind == "integer":
        return [(f"the {end}", facts[end]) for end in ("min", "max") if end in facts]
    if kind == "timestamp":
        return [(text, text) for text in TIMES]
    if kind != "string":
        return []
    if "enum" in facts:
        return [(value, value) for value in facts["enum"]]
    if "pattern" in facts:
        return [(repr(value[:40]), value) for value in PATTERNS[facts["pattern"]][0]
                if fits(facts, value)] + padded(facts)  # fmt: skip
    return padded(facts) or [("some text", "text"), ("more than ASCII", "ä € 😀"), ("no text", "")]


def padded(facts):
    """Texts of the shortest and the longest length, where the pattern lets them be."""
    found = []
    for end in ("min", "max"):
        if end in facts:
            text = "x" * facts[end]
            if "pattern" not in facts or re.fullmatch(facts["pattern"], text):
                found.append((f"the {end} length", text))
    return found


def fits(facts, text):
    return facts.get("min", 0) <= len(text) <= facts.get("max", len(text))


def wrong(facts):
    """(what, value) of single values beyond a limit, of the right type."""
    kind, found = facts["type"], []
    if kind == "integer":
        if "min" in facts:
            found.append(("less than the min", facts["min"] - 1))
        found.append(("more than the max", facts.get("max", LARGEST) + 1))
    if kind == "string":
        if facts.get("min"):
            found.append(("shorter than the min", "x" * (facts["min"] - 1)))
        if "max" in facts:
            found.append(("longer than the max", "x" * (facts["max"] + 1)))
        if "enum" in facts:
            found += [("none of the values", facts["enum"][0].swapcase()), ("no text", "")]
        if "pattern" in facts:
            found += [(repr(value[:40]), value) for value in PATTERNS[facts["pattern"]][1]]
    return found
