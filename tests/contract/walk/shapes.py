"""A service model as the walk reads it: facts by shape, with the limits that we widen."""

import copy
import gzip
import json
from pathlib import Path

import botocore

FILES = {"chime": "chime/2018-05-01", "chime-sdk-voice": "chime-sdk-voice/2022-08-03"}


class Model:
    """`widened` are facts of shapes that hold instead of the document's; None takes one away.

    A lenient model is that of an old client, which passes over members, values and errors that it
    never heard of.
    """

    def __init__(self, document, widened, lenient=False):
        self.shapes = copy.deepcopy(document["shapes"])
        for name, changes in widened.items():
            if name in self.shapes:
                self.shapes[name].update(changes)
        self.operations = document["operations"]
        self.lenient = lenient

    def shape(self, reference):
        """The facts of a shape as a member refers to it."""
        facts = {**self.shapes[reference["shape"]], **reference}
        return {name: value for name, value in facts.items() if value is not None}

    def input(self, operation):
        reference = self.operations[operation].get("input")
        return self.shape(reference) if reference else {"type": "structure", "members": {}}

    def output(self, operation):
        reference = self.operations[operation].get("output")
        return self.shape(reference) if reference else None

    def status(self, operation):
        return self.operations[operation]["http"].get("responseCode", 200)

    def errors(self, operation):
        """The status of each exception that the operation lists."""
        names = [each["shape"] for each in self.operations[operation]["errors"]]
        return {name: self.shapes[name]["error"]["httpStatusCode"] for name in names}


def botocores(service):
    """The model that this Python's botocore has; None where it has none."""
    if service not in FILES:
        return None
    path = Path(botocore.__file__).parent / "data" / FILES[service] / "service-2.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))
