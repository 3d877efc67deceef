"""What the cases need to succeed where the model is the service's own."""

from stage import ORDERED, OTHERS, token

PERIOD = {"ReceivedFrom": "2026-08-01T00:00:00Z", "ReceivedUntil": "2036-08-01T00:00:00Z"}
GRANT = {"Actions": ["chime:*", "maskline:List*"], "Resources": ["arn:aws:chime:::vc/*", "*"]}
RULES = {
    "NumberAssignment": "per_participant",
    "NumberRestMinutes": 120,
    "UnknownCaller": "fallback",
    "HangUpOnDelete": False,
    "HangUpOnExpiry": True,
    "MaxRingSeconds": 20,
    "MaxCallSeconds": 600,
    "MaxCalls": 5,
    "MaxCallsPerSecond": 2,
    "MaxCallsPerCaller": 2,
    "MaxCallsPerCallerPerSecond": 1,
    "RecordCalls": True,
    "KeepTextDays": 3,
    "ClosedReply": "Closed",
    "StopReply": "Stopped",
    "StartReply": "Started",
    "HelpReply": "Help",
    "KeywordLanguages": ["en", "fr"],
    "MaxTextsPerMinute": 10,
}


class OwnStage:
    """Requests by operation, each with what it needs made beforehand.

    `call(operation, **arguments)` carries an operation out for the operator, whose connector has
    had calls, texts that failed, and somebody who said STOP.
    """

    def __init__(self, call):
        self.call = call
        self.talk = call("ListCalls")["Calls"][0]
        self.failed = call("ListMessages", State="Failed")["Messages"][0]
        self.account = {"AccountId": self.new_key()["AccountId"]}

    def new_key(self):
        return self.call("CreateAccessKey")["AccessKey"]

    def request(self, operation, member):
        """The request of an operation; with `member` and whatever can be told together with it."""
        prepare = getattr(self, operation, None)
        return prepare(member) if prepare else {}

    def CreateAccessKey(self, member):
        return {**self.account, **GRANT}

    def CreateAccount(self, member):
        return {"Name": "acme"}

    def DeleteAccessKey(self, member):
        return {"AccessKeyId": self.new_key()["AccessKeyId"]}

    RotateAccessKey = DeleteAccessKey

    def UpdateAccessKey(self, member):
        return {**self.DeleteAccessKey(member), "Status": "Inactive", **GRANT}

    def DescribeSupport(self, member):
        return {"Degree": "Served", "OperationName": "CreateProxySession"}

    def EvaluateRoute(self, member):
        numbers = self.talk["CallerPhoneNumber"], self.talk["DialledPhoneNumber"]
        return {"Caller": numbers[0], "Called": numbers[1], "Capability": "SMS"}

    def GetCall(self, member):
        return {"CallId": self.talk["CallId"]}

    def GetMessage(self, member):
        return {"MessageId": self.failed["MessageId"]}

    def RetryMessage(self, member):
        """Nothing is sent again to somebody who has said STOP."""
        pair = {
            "ParticipantPhoneNumber": self.failed["RecipientPhoneNumber"],
            "ProxyPhoneNumber": self.failed["ShownPhoneNumber"],
        }
        if any(pair.items() <= each.items() for each in self.call("ListOptOuts")["OptOuts"]):
            self.call("RemoveOptOut", **pair)
        return self.GetMessage(member)

    def GetVoiceConnectorRules(self, member):
        return {"VoiceConnectorId": self.talk["VoiceConnectorId"]}

    def GetPoolReport(self, member):
        return dict(self.account)

    def PutVoiceConnectorRules(self, member):
        return {**self.GetVoiceConnectorRules(member), **RULES}

    def ImportPhoneNumbers(self, member):
        numbers = {"E164PhoneNumbers": ORDERED[:2]}
        return {"CarrierName": "acme", "Shared": False, **numbers, **self.account}

    def RemovePhoneNumbers(self, member):
        return {"E164PhoneNumbers": OTHERS[:2], **self.account}

    def ListAccessKeys(self, member):
        return {**self.account, **self.ListAccounts(member)}

    def ListAccounts(self, member):
        return {"MaxResults": 5, **token(member)}

    ListAuditRecords = ListOptOuts = ListAccounts

    def ListCalls(self, member):
        if member == "Unassigned":  # such calls belong to no session
            return {"Unassigned": True, **PERIOD}
        session = {"ProxySessionId": self.talk["ProxySessionId"]}
        return {**session, **PERIOD, **self.ListAccounts(member)}

    def ListMessages(self, member):
        return {"State": "Failed", **self.ListCalls(member)}

    def ListImportedPhoneNumbers(self, member):
        return {"CarrierName": "acme", **self.ListAccessKeys(member)}

    def RemoveOptOut(self, member):
        entry = self.call("ListOptOuts")["OptOuts"][0]
        return {name: entry[name] for name in ("ParticipantPhoneNumber", "ProxyPhoneNumber")}
