"""What the cases need to succeed: things that are there, and requests that name them."""

import itertools

# Numbers to be imported: for sessions, which take shared ones, for orders, and for all the rest.
SHARED = [f"+1206555{last:04}" for last in range(200, 230)]
ORDERED = [f"+1206555{last:04}" for last in range(300, 320)]
OTHERS = [f"+1206555{last:04}" for last in range(400, 412)]
ARN = "arn:aws:chime:us-east-1:123456789012:media-insights-pipeline-configuration/x"

DOCUMENTS = {
    "Termination": {
        "CpsLimit": 2,
        "DefaultPhoneNumber": "+12065550100",
        "CallingRegions": ["US", "CA"],
        "CidrAllowedList": ["192.0.2.0/27"],
        "Disabled": False,
    },
    "Origination": {
        "Routes": [{"Host": "192.0.2.7", "Port": 5080, "Protocol": "TCP", "Priority": 1,
                    "Weight": 5}],
        "Disabled": False,
    },
    "StreamingConfiguration": {
        "DataRetentionInHours": 24,
        "Disabled": False,
        "StreamingNotificationTargets": [{"NotificationTarget": "SNS"}],
        "MediaInsightsConfiguration": {"Disabled": True, "ConfigurationArn": ARN},
    },
    "EmergencyCallingConfiguration": {
        "DNIS": [{"EmergencyPhoneNumber": "+12065550911", "TestPhoneNumber": "+12065550912",
                  "CallingCountry": "US"}],
    },
    "LoggingConfiguration": {"EnableSIPLogs": True, "EnableMediaMetricLogs": False},
}  # fmt: skip
EXTERNAL_SYSTEMS = {
    "SessionBorderControllerTypes": ["RIBBON_SBC", "AVAYA_SBCE"],
    "ContactCenterSystemTypes": ["AVAYA_AURA_CONTACT_CENTER"],
}
PROXY = {
    "DefaultSessionExpiryMinutes": 60,
    "PhoneNumberPoolCountries": ["US", "CA"],
    "FallBackPhoneNumber": "+13035550199",
    "Disabled": False,
}
TAGS = [{"Key": "env", "Value": "test"}, {"Key": "owner", "Value": "me"}]
CREDENTIALS = [{"Username": "anna", "Password": "quiet"}, {"Username": "ben", "Password": "still"}]


class Stage:
    """Requests by operation, each with what it needs made beforehand.

    `call(operation, **arguments)` carries an operation out, `newer` tells whether the service has
    what only chime-sdk-voice has.
    """

    def __init__(self, call, newer):
        self.call = call
        self.newer = newer
        self.basket = itertools.cycle(OTHERS[2:])  # numbers that take turns in being used
        self.people = (f"+1303{last}" for last in range(5_550_000, 9_999_999))
        self.connector_id, self.arn = self.new_connector()
        self.vc = {"VoiceConnectorId": self.connector_id}
        self.configure()
        self.group = {"VoiceConnectorGroupId": self.new_group()}
        self.session = {**self.vc, "ProxySessionId": self.new_session()}
        self.order = {"PhoneNumberOrderId": self.new_order()}
        for number in OTHERS[:2]:  # so that a list by connector has more than one entry
            self.associate(number)

    def new_connector(self):
        made = self.call("CreateVoiceConnector", Name="walk", RequireEncryption=False)
        connector = made["VoiceConnector"]
        return connector["VoiceConnectorId"], connector["VoiceConnectorArn"]

    def configure(self):
        self.call("PutVoiceConnectorProxy", **self.vc, **PROXY)
        for name, document in DOCUMENTS.items():
            self.call(f"PutVoiceConnector{name}", **self.vc, **{name: self.known(document)})
        if self.newer:
            self.call(
                "PutVoiceConnectorExternalSystemsConfiguration", **self.vc, **EXTERNAL_SYSTEMS
            )
        self.call("PutVoiceConnectorTerminationCredentials", **self.vc, Credentials=CREDENTIALS)

    def known(self, document):
        """A configuration without what the older service did not have."""
        newer = () if self.newer else ("MediaInsightsConfiguration",)
        return {name: value for name, value in document.items() if name not in newer}

    def new_group(self):
        items = [{"VoiceConnectorId": self.connector_id, "Priority": 3}]
        made = self.call("CreateVoiceConnectorGroup", Name="walk", VoiceConnectorItems=items)
        return made["VoiceConnectorGroup"]["VoiceConnectorGroupId"]

    def new_session(self):
        asked = {"ParticipantPhoneNumbers": [*self.pair()], "Capabilities": ["SMS"]}
        return self.call("CreateProxySession", **self.vc, **asked)["ProxySession"]["ProxySessionId"]

    def new_order(self, number=ORDERED[0]):
        asked = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [number]}
        made = self.call("CreatePhoneNumberOrder", **asked)
        return made["PhoneNumberOrder"]["PhoneNumberOrderId"]

    def pair(self):
        """Two people who have no session yet."""
        return next(self.people), next(self.people)

    def associate(self, number):
        self.call("AssociatePhoneNumbersWithVoiceConnector", **self.vc, E164PhoneNumbers=[number])

    def unused(self):
        """A number that nothing uses and nobody has deleted."""
        number = next(self.basket)
        found = self.call("GetPhoneNumber", PhoneNumberId=number)["PhoneNumber"]
        for owner in found["Associations"]:
            kind = owner["Name"].removesuffix("Id")
            ids = {owner["Name"]: owner["Value"], "E164PhoneNumbers": [number]}
            self.call(f"DisassociatePhoneNumbersFrom{kind}", **ids)
        if found["Status"] == "ReleaseInProgress":
            self.call("RestorePhoneNumber", PhoneNumberId=number)
        return number

    def request(self, operation, member):
        """The request of an operation; with `member` and whatever can be told together with it."""
        self.restore(operation)
        prepare = getattr(self, operation, None)
        if prepare:
            return prepare(member)
        if "ProxySession" in operation:
            return dict(self.session)
        if "VoiceConnectorGroup" in operation:
            return dict(self.group)
        if operation.startswith("PutVoiceConnector"):
            name = operation.removeprefix("PutVoiceConnector")
            return {**self.vc, name: self.known(DOCUMENTS[name])}
        return dict(self.vc) if "VoiceConnector" in operation else {}

    def restore(self, operation):
        """Puts the configuration that the operation reads or deletes; a case before deleted it."""
        name = operation.partition("VoiceConnector")[2].removesuffix("Health")
        put = f"PutVoiceConnector{name}"
        if name in DOCUMENTS and not operation.startswith("Put"):
            self.call(put, **self.vc, **{name: self.known(DOCUMENTS[name])})
        if name == "ExternalSystemsConfiguration":
            self.call(put, **self.vc, **EXTERNAL_SYSTEMS)
        if name == "Proxy" or operation == "CreateProxySession":
            self.call("PutVoiceConnectorProxy", **self.vc, **PROXY)

    # Those that need more than the names of what is there.

    def AssociatePhoneNumbersWithVoiceConnector(self, member):
        return {**self.vc, "E164PhoneNumbers": [self.unused()], "ForceAssociate": True}

    def AssociatePhoneNumbersWithVoiceConnectorGroup(self, member):
        return {**self.group, "E164PhoneNumbers": [self.unused()], "ForceAssociate": True}

    def DisassociatePhoneNumbersFromVoiceConnector(self, member):
        number = self.unused()
        self.associate(number)
        return {**self.vc, "E164PhoneNumbers": [number]}

    def DisassociatePhoneNumbersFromVoiceConnectorGroup(self, member):
        number = self.unused()
        self.call("AssociatePhoneNumbersWithVoiceConnectorGroup", **self.group,
                  E164PhoneNumbers=[number])  # fmt: skip
        return {**self.group, "E164PhoneNumbers": [number]}

    def BatchDeletePhoneNumber(self, member):
        return {"PhoneNumberIds": [self.unused(), self.unused()]}

    def BatchUpdatePhoneNumber(self, member):
        attributes = {"Name": "front desk"} if self.newer else {"CallingName": "Acme"}
        return {"UpdatePhoneNumberRequestItems": [{"PhoneNumberId": self.unused(), **attributes}]}

    def CreatePhoneNumberOrder(self, member):
        name = {"Name": "front desk"} if self.newer else {}
        return {"ProductType": "VoiceConnector", "E164PhoneNumbers": ORDERED[-2:], **name}

    def CreateProxySession(self, member):
        return {
            **self.vc,
            "ParticipantPhoneNumbers": [*self.pair()],
            "Name": "A to B",
            "ExpiryMinutes": 45,
            "Capabilities": ["SMS", "Voice"],
            "NumberSelectionBehavior": "PreferSticky",
            "GeoMatchLevel": "AreaCode",
            "GeoMatchParams": {"Country": "US", "AreaCode": "206"},
        }

    def CreateVoiceConnector(self, member):
        asked = {"Name": "walk", "AwsRegion": "us-west-2", "RequireEncryption": True}
        newer = {
            "Tags": TAGS,
            "IntegrationType": "CONNECT_CALL_TRANSFER_CONNECTOR",
            "NetworkType": "DUAL_STACK",
        }
        return {**asked, **newer} if self.newer else asked

    def CreateVoiceConnectorGroup(self, member):
        items = [{**self.vc, "Priority": 9}]
        newer = {"CallDistributionType": "LoadBalancedDistribution"} if self.newer else {}
        return {"Name": "walk", "VoiceConnectorItems": items, **newer}

    def UpdateVoiceConnectorGroup(self, member):
        return {**self.group, **self.CreateVoiceConnectorGroup(member)}

    def DeleteVoiceConnectorGroup(self, member):
        made = self.call("CreateVoiceConnectorGroup", Name="walk")["VoiceConnectorGroup"]
        return {"VoiceConnectorGroupId": made["VoiceConnectorGroupId"]}

    def DeleteVoiceConnector(self, member):
        return {"VoiceConnectorId": self.new_connector()[0]}

    def DeleteVoiceConnectorTermination(self, member):
        self.call("DeleteVoiceConnectorEmergencyCallingConfiguration", **self.vc)
        return dict(self.vc)

    DeleteVoiceConnectorOrigination = DeleteVoiceConnectorTermination

    def DeleteVoiceConnectorTerminationCredentials(self, member):
        return {**self.vc, "Usernames": ["anna"]}

    def PutVoiceConnectorTerminationCredentials(self, member):
        return {**self.vc, "Credentials": CREDENTIALS}

    def PutVoiceConnectorExternalSystemsConfiguration(self, member):
        return {**self.vc, **EXTERNAL_SYSTEMS}

    def PutVoiceConnectorProxy(self, member):
        return {**self.vc, **PROXY}

    def GetPhoneNumber(self, member):
        return {"PhoneNumberId": OTHERS[0]}

    def DeletePhoneNumber(self, member):
        return {"PhoneNumberId": self.unused()}

    def RestorePhoneNumber(self, member):
        number = self.unused()
        self.call("DeletePhoneNumber", PhoneNumberId=number)
        return {"PhoneNumberId": number}

    def UpdatePhoneNumber(self, member):
        """One attribute at a time."""
        attributes = {"Name": "front desk", "CallingName": "Acme", "ProductType": "VoiceConnector"}
        if not self.newer:
            del attributes["Name"]
        told = member if member in attributes else "CallingName"
        return {"PhoneNumberId": self.unused(), told: attributes[told]}

    def GetPhoneNumberOrder(self, member):
        return dict(self.order)

    def ListPhoneNumberOrders(self, member):
        return {"MaxResults": 5, **token(member)}

    ListVoiceConnectors = ListVoiceConnectorGroups = ListPhoneNumberOrders

    def ListProxySessions(self, member):
        return {**self.vc, "Status": "Open", "MaxResults": 5, **token(member)}

    def ListPhoneNumbers(self, member):
        return {
            "Status": "Assigned",
            "ProductType": "VoiceConnector",
            "FilterName": "VoiceConnectorId",
            "FilterValue": self.connector_id,
            "MaxResults": 5,
            **token(member),
        }

    def ListSupportedPhoneNumberCountries(self, member):
        return {"ProductType": "VoiceConnector"}

    def SearchAvailablePhoneNumbers(self, member):
        asked = {"AreaCode": "206", "Country": "US", "PhoneNumberType": "Local", "MaxResults": 5}
        place = {"City": "Seattle", "State": "WA", "Country": "US"}
        alone = {
            "City": place,
            "State": {"State": "WA"},
            "TollFreePrefix": {"TollFreePrefix": "800"},
        }
        return alone.get(member) or {**asked, **token(member)}

    def ListTagsForResource(self, member):
        return {"ResourceARN": self.arn}

    def TagResource(self, member):
        return {"ResourceARN": self.new_connector()[1], "Tags": TAGS}

    def UntagResource(self, member):
        return {"ResourceARN": self.arn, "TagKeys": ["env", "owner"]}

    def UpdateGlobalSettings(self, member):
        services = ["VoiceConnector"] if self.newer else ["VoiceConnector", "BusinessCalling"]
        return {name: {"CdrBucket": "records"} for name in services}

    def UpdatePhoneNumberSettings(self, member):
        return {"CallingName": "Acme"}

    def UpdateProxySession(self, member):
        return {**self.DeleteProxySession(member), "Capabilities": ["Voice"], "ExpiryMinutes": 45}

    def DeleteProxySession(self, member):
        return {**self.vc, "ProxySessionId": self.new_session()}

    def UpdateVoiceConnector(self, member):
        return {**self.vc, "Name": "walk", "RequireEncryption": False}


def token(member):
    """No list gave it out, so it is refused; a list by pages is another case."""
    return {"NextToken": "x"} if member == "NextToken" else {}
