"""Plays operations through whichever boto3 its Python has: `boto_player.py <service> <url>`.

It imports nothing of ours. A line in: {"operation": "...", "arguments": {...}}; a line out:
{"answer": {...}} or {"error": "...", "message": "..."}.
"""

import json
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError


def play(client, operation, arguments):
    try:
        answer = getattr(client, xform_name(operation))(**arguments)
    except ClientError as error:
        told = error.response["Error"]
        return {"error": type(error).__name__, "message": told["Message"]}
    assert answer.pop("ResponseMetadata")["RequestId"]
    return {"answer": answer}


def main(service, url):
    once = Config(retries={"max_attempts": 0})
    client = boto3.client(service, endpoint_url=url, config=once)
    for line in sys.stdin:
        print(json.dumps(play(client, **json.loads(line)), default=str), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
