"""Walks a service model through the botocore of this Python, against a server.

It imports nothing of ours. In, as JSON: {"service", "url", "keys": [[id, secret], ...],
"widened": {shape: facts}, "newest": a model, "models": a folder with models beside botocore's own};
out: {"cases": {operation: number}, "faults": [...]}.

The first key is the one that asks; every other is that of a new account, for what can be done once.
"""

import json
import sys
from urllib.parse import urlencode

import boto3
from answers import Answer, faults_of
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from cases import cases_of
from meant import ANSWERED, MEANT, MEANT_OF_OLD, MEANT_OF_OURS, NOT_REPEATED, meant
from own_stage import OwnStage
from shapes import Model, botocores
from stage import Stage

CONFIG = Config(retries={"max_attempts": 0}, parameter_validation=False, max_pool_connections=1)
ONCE = "UpdatePhoneNumberSettings"  # an account may do it once in seven days
MEANT_BY = {"chime-sdk-voice": MEANT, "chime": MEANT_OF_OLD, "maskline": MEANT_OF_OURS}


class Caller:
    """A client that shows what really came back, and can be given what to send."""

    def __init__(self, service, url, key, models):
        session = boto3.Session(*key, region_name="us-east-1")
        session._loader.search_paths.append(models)
        self.client = session.client(service, endpoint_url=url, config=CONFIG)
        self.client.meta.events.register("before-call", self._dress)
        self.client.meta.events.register("after-call", self._note)
        self._body = self._query = self._answer = None

    def _dress(self, params, **_):
        if self._body is not None:
            params["body"] = self._body
        if self._query is not None:
            params["url"] += f"{'&' if '?' in params['url'] else '?'}{self._query}"

    def _note(self, http_response, **_):
        self._answer = Answer(http_response)

    def ask(self, operation, arguments, body=None, query=None):
        """The answer as it came, and what botocore made of it. `query` comes after botocore's."""
        self._body, self._query = body, query
        try:
            made = getattr(self.client, xform_name(operation))(**arguments)
        except ClientError as error:
            made = error
        return self._answer, made

    def call(self, operation, **arguments):
        """What must succeed."""
        answer, made = self.ask(operation, arguments)
        assert isinstance(made, dict), (operation, answer.body)
        return made


class Walk:
    def __init__(self, service, url, keys, widened, newest, models):
        document = botocores(service) or newest
        self.operations = [name for name in document["operations"] if name in newest["operations"]]
        newer = service != "chime"
        self.model = Model(document, widened, lenient=not newer)
        # An old client's answers are held against the newest model too, which knows all of them.
        self.models = [self.model] if newer else [self.model, Model(newest, {})]
        self.callers = [Caller(service, url, key, models) for key in keys]
        call = self.callers[0].call
        self.stage = OwnStage(call) if service == "maskline" else Stage(call, newer)
        self.meant = MEANT_BY[service]
        self.faults, self.unused = [], set(self.meant)

    def operation(self, name):
        """Tries all the cases of an operation; their number."""
        cases = list(cases_of(self.model, name, lambda member: self.stage.request(name, member)))
        for case in cases:
            member = case.path[0] if case.path else None
            self.try_out(name, case, self.stage.request(name, member))
        return len(cases)

    def try_out(self, operation, case, arguments):
        once = operation == ONCE and case.right
        caller = self.callers.pop() if once else self.callers[0]
        told = case.applied(arguments)
        body = body_for(self.model, operation, case, told)
        query = query_for(self.model, operation, case)
        sent = told if (body, query) == (None, None) else arguments
        answer, made = caller.ask(operation, sent, body, query)
        found = [fault for model in self.models for fault in faults_of(model, operation, answer)]
        found += self.outcome_faults(operation, case, answer) + made_faults(caller, answer, made)
        if case.right and isinstance(made, dict) and answer.body:
            found += echo_faults(operation, told, answer.document)
        for fault in found:
            if (operation, fault) in ANSWERED:
                continue
            self.faults.append(f"{operation}: {case.place or 'request'}, {case.what}: {fault}")

    def outcome_faults(self, operation, case, answer):
        if not case.right:
            right = answer.error == "BadRequestException" and case.fault in answer.message
            return [] if right else [f"{answer.status} {answer.error} {answer.message!r:.200}"]
        if answer.error is None:
            return []
        line = meant(self.meant, operation, case)
        if line is not None:
            self.unused.discard(line)
            if answer.error == self.meant[line]:
                return []
        return [f"refused: {answer.status} {answer.error} {answer.message!r:.200}"]

    def pages(self, operation):
        """A list by pages of one is the list; the number of its cases."""
        members = self.model.input(operation).get("members", {})
        if "NextToken" not in members:
            return 0
        asked = self.stage.request(operation, None)
        call = self.callers[0].call
        most = self.model.shape(members["MaxResults"])["max"]
        whole = entries(call(operation, **{**asked, "MaxResults": most}))
        found, token = [], {}
        while True:
            page = call(operation, **{**asked, "MaxResults": 1, **token})
            found += entries(page)
            if "NextToken" not in page or len(found) > 5:
                break
            token = {"NextToken": page["NextToken"]}
        if not (found == whole[: len(found)] and len(found) > 1):
            self.faults.append(f"{operation}: by pages {found!r:.200}, at once {whole!r:.200}")
        return 1


def entries(answer):
    (found,) = [value for value in answer.values() if isinstance(value, list)]
    return found


def body_for(model, operation, case, arguments):
    """The body to send where botocore could not write it as the case has it, else None."""
    if isinstance(case.value, bytes):
        return case.value
    members = model.input(operation).get("members", {})
    place = members.get(case.path[0], {}) if case.path else {"location": None}
    if "location" in place or (case.right and case.value is not None):
        return None
    told = {k: v for k, v in arguments.items() if "location" not in members.get(k, {})}
    return json.dumps(told).encode()


def query_for(model, operation, case):
    """What to add to the query where botocore could not write a time as the case has it."""
    member = model.input(operation).get("members", {}).get(case.path[0]) if case.path else None
    if case.right or member is None or model.shape(member)["type"] != "timestamp":
        return None
    return urlencode({member["locationName"]: case.value}, doseq=True)


def made_faults(caller, answer, made):
    """Whether botocore made of an answer what the answer says."""
    if isinstance(made, ClientError):
        told = made.response["Error"]
        typed = getattr(caller.client.exceptions, str(answer.error), None)
        same = (told["Code"], told["Message"]) == (answer.error, answer.message)
        return [] if same and typed and isinstance(made, typed) else [f"it became {made!r:.200}"]
    metadata = made.pop("ResponseMetadata")
    if metadata["RequestId"] != answer.headers["x-amzn-requestid"]:
        return ["another request id"]
    lost = set(made) ^ set(answer.document if answer.body else ())
    return [f"it lost {lost}"] if lost else []


def echo_faults(operation, told, document):
    """What was told and is answered differently: members of the same name must be the same."""
    inner = [each for each in document.values() if isinstance(each, dict)]
    return [
        f"{name}: {told[name]!r:.80} became {place[name]!r:.80}"
        for place in (document, *inner)
        for name in told.keys() & place.keys() - {"NextToken"}
        if (operation, name) not in NOT_REPEATED and not same(told[name], place[name])
    ]


def same(told, answered):
    """Whether an answer repeats what was told; lists may be in order, numbers get their plus."""
    if told is None:
        return True
    if isinstance(told, dict):
        return all(same(value, answered.get(name)) for name, value in told.items())
    if isinstance(told, list):
        return all(any(same(t, a) for a in answered) for t in told)
    if isinstance(told, str) and isinstance(answered, str):
        return told.removeprefix("+") == answered.replace("%2B", "").removeprefix("+")
    return told == answered


def main():
    walk = Walk(**json.load(sys.stdin))
    counts = {name: walk.operation(name) + walk.pages(name) for name in walk.operations}
    report = {"cases": counts, "faults": walk.faults, "unused": [*map(list, walk.unused)]}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
