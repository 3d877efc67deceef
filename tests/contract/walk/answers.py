"""Answers held against the model, bit by bit: nothing is forgiven that a client might forgive."""

import json
import re

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TYPES = {"string": str, "timestamp": str, "boolean": bool, "list": list, "structure": dict,
         "integer": int, "long": int, "map": dict}  # fmt: skip


class Answer:
    """What came back: status, headers by lower-case name, body."""

    def __init__(self, response):
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.body = response.content

    @property
    def document(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.headers.get("x-amzn-errortype")

    @property
    def message(self):
        return self.document.get("Message", "") if self.body else ""


def faults_of(model, operation, answer):
    """What is not as the model says."""
    found = [] if REQUEST_ID.fullmatch(answer.headers.get("x-amzn-requestid", "")) else ["no id"]
    if answer.error is not None or answer.status >= 300:
        return found + error_faults(model, operation, answer)
    if answer.status != model.status(operation):
        found.append(f"status {answer.status}, not {model.status(operation)}")
    output = model.output(operation)
    if output is None or answer.status == 204:
        return found + (["a body"] if answer.body else [])
    return found + carrier_faults(answer) + value_faults(model, output, answer.document, "")


def carrier_faults(answer):
    found = []
    if answer.headers.get("content-type") != "application/json":
        found.append(f"content type {answer.headers.get('content-type')}")
    if answer.headers.get("content-length") != str(len(answer.body)):
        found.append(f"content length {answer.headers.get('content-length')}")
    return found


def error_faults(model, operation, answer):
    found = carrier_faults(answer)
    listed = model.errors(operation)
    if answer.error not in listed:
        found += [] if model.lenient else [f"{answer.error} is not listed"]
    elif answer.status != listed[answer.error]:
        found.append(f"{answer.error} with status {answer.status}")
    document = answer.document
    if sorted(document) != ["Code", "Message", "__type"] or not document["Message"]:
        found.append(f"an error's body of {sorted(document)}")
    if document.get("__type") != answer.error:
        found.append(f"it is {answer.error} in the header and {document.get('__type')} in the body")
    if document.get("Code") not in model.shapes["ErrorCode"]["enum"] and not model.lenient:
        found.append(f"the code {document.get('Code')}")
    return found


def value_faults(model, facts, value, where):
    """The faults of a value and of all that it holds."""
    if type(value) is not TYPES[facts["type"]]:
        return [f"{where}: {value!r:.60} is no {facts['type']}"]
    if facts["type"] == "structure":
        return structure_faults(model, facts, value, where)
    if facts["type"] == "list":
        item = model.shape(facts["member"])
        inner = [fault for each in value for fault in value_faults(model, item, each, f"{where}[]")]
        return length_faults(facts, value, where) + inner
    return plain_faults(model, facts, value, where)


def structure_faults(model, facts, value, where):
    members = facts["members"]
    found = [
        f"{where}.{name} is missing" for name in facts.get("required", ()) if name not in value
    ]
    for name, item in value.items():
        if name in members:
            found += value_faults(model, model.shape(members[name]), item, f"{where}.{name}")
        elif not model.lenient:
            found.append(f"{where}.{name} is unknown")
    return found


def length_faults(facts, value, where):
    least, most = facts.get("min", 0), facts.get("max", len(value))
    return [] if least <= len(value) <= most else [f"{where} has length {len(value)}"]


def plain_faults(model, facts, value, where):
    found = []
    if facts["type"] == "timestamp" and not TIMESTAMP.fullmatch(value):
        found.append(f"{where}: {value} is no time")
    if "enum" in facts and value not in facts["enum"] and not model.lenient:
        found.append(f"{where}: {value!r:.60} is none of the values")
    if "pattern" in facts and not re.fullmatch(facts["pattern"], value, re.ASCII):
        found.append(f"{where}: {value!r:.60} does not match")
    if facts["type"] == "string":
        found += length_faults(facts, value, where)
    if facts["type"] == "integer" and not (
        facts.get("min", value) <= value <= facts.get("max", value)
    ):
        found.append(f"{where}: {value} is beyond the limits")
    return found
