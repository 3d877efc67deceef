"""Asks for every operation of this Python's botocore that a server does not offer.

It imports nothing of ours. In, as JSON: {"services": [...], "url", "key": [id, secret], "served":
[names], "offered": what every refusal says}; out: {"asked": number, "faults": [...]}.
"""

import json
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(retries={"max_attempts": 0}, parameter_validation=False, inject_host_prefix=False)
EXAMPLES = {"string": "x", "integer": 5, "long": 5, "boolean": True, "list": [], "map": {},
            "structure": {}, "blob": b"x", "timestamp": 0, "double": 1.0, "float": 1.0}  # fmt: skip


def arguments_for(shape):
    """The required members, each with something of its type."""
    members = shape.members if shape else {}
    required = shape.required_members if shape else ()
    return {name: EXAMPLES[members[name].type_name] for name in required}


def faults_of(client, operation, offered):
    model = client.meta.service_model.operation_model(operation)
    try:
        getattr(client, xform_name(operation))(**arguments_for(model.input_shape))
    except ClientError as error:
        return told_faults(client, operation, model, error, offered)
    return ["it was carried out"]


def told_faults(client, operation, model, error, offered):
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    listed = {shape.name for shape in model.error_shapes}
    found = [] if code in listed else [f"{code} is not listed"]
    if type(error) is not getattr(client.exceptions, code, None):
        found.append(f"it became {type(error).__name__}")
    if not message.startswith(f"{operation} is not offered here.") or offered not in message:
        found.append(f"it says {message!r:.200}")
    return found


def main():
    asked = json.load(sys.stdin)
    session = boto3.Session(*asked["key"], region_name="us-east-1")
    count, faults = 0, []
    for service in asked["services"]:
        client = session.client(service, endpoint_url=asked["url"], config=CONFIG)
        for operation in client.meta.service_model.operation_names:
            if operation not in asked["served"]:
                count += 1
                found = faults_of(client, operation, asked["offered"])
                faults += [f"{service} {operation}: {fault}" for fault in found]
    json.dump({"asked": count, "faults": faults}, sys.stdout)


if __name__ == "__main__":
    main()
