"""Requests that the model allows and that are refused for what they mean; the model cannot say it.

`Operation.Place` and what the case is, with wildcards -> the exception. Every line must be needed.
"""

from fnmatch import fnmatchcase

NOT_FOUND, BAD_REQUEST = "NotFoundException", "BadRequestException"

MEANT = {
    # Names of nothing that is there.
    ("*.VoiceConnectorId", "*"): NOT_FOUND,
    ("*.VoiceConnectorGroupId", "*"): NOT_FOUND,
    ("*.ProxySessionId", "*"): NOT_FOUND,
    ("*.PhoneNumberOrderId", "*"): NOT_FOUND,
    ("*.ResourceARN", "*"): NOT_FOUND,
    # Ids of phone numbers that are no phone numbers.
    ("*PhoneNumber.PhoneNumberId", "*"): BAD_REQUEST,
    # No list gave it out.
    ("*.NextToken", "some text"): BAD_REQUEST,
    ("*.NextToken", "more than ASCII"): BAD_REQUEST,
    # Nobody has two numbers, and nobody has none.
    ("*.Capabilities", "an empty list"): BAD_REQUEST,
    ("CreatePhoneNumberOrder.E164PhoneNumbers", "an empty list"): BAD_REQUEST,
    # What is named in an answer must have a name, and what signs in both parts.
    ("BatchDeletePhoneNumber.PhoneNumberIds[]", "no text"): BAD_REQUEST,
    ("PutVoiceConnectorTerminationCredentials.Credentials[].*", "no text"): BAD_REQUEST,
    # Only for what AWS runs.
    ("CreatePhoneNumberOrder.ProductType", "SipMediaApplicationDialIn"): BAD_REQUEST,
    ("ListPhoneNumbers.FilterName", "SipRuleId"): BAD_REQUEST,
    ("ListPhoneNumbers.FilterName", "left out"): BAD_REQUEST,
    ("ListPhoneNumbers.FilterValue", "left out"): BAD_REQUEST,
    # One of several, or both of two.
    ("UpdatePhoneNumber.*", "left out"): BAD_REQUEST,
    ("UpdatePhoneNumber.*", "null"): BAD_REQUEST,
    ("PutVoiceConnectorTerminationCredentials.Credentials[].*", "left out"): BAD_REQUEST,
    ("PutVoiceConnectorTerminationCredentials.Credentials[].*", "null"): BAD_REQUEST,
    # The model has any text for a network.
    ("PutVoiceConnectorTermination.Termination.CidrAllowedList[]", "*"): BAD_REQUEST,
    # The model has any text for these.
    ("ListPhoneNumbers.Status", "some text"): BAD_REQUEST,
    ("ListPhoneNumbers.Status", "more than ASCII"): BAD_REQUEST,
    # The model has any text for a state.
    ("SearchAvailablePhoneNumbers.State", "some text"): BAD_REQUEST,
    ("SearchAvailablePhoneNumbers.State", "more than ASCII"): BAD_REQUEST,
}


# What only the model of the old service allows.
MEANT_OF_OLD = {
    **MEANT,
    ("*.ProductType", "BusinessCalling"): BAD_REQUEST,
    ("ListPhoneNumbers.FilterName", "AccountId"): BAD_REQUEST,
    ("ListPhoneNumbers.FilterName", "UserId"): BAD_REQUEST,
    ("UpdateGlobalSettings.*.CdrBucket", "no text"): BAD_REQUEST,
}

MEANT_OF_OURS = {
    # Names of nothing that is there.
    ("*.AccessKeyId", "*"): NOT_FOUND,
    ("*.AccountId", "*"): NOT_FOUND,
    ("*.CallId", "*"): NOT_FOUND,
    ("*.MessageId", "*"): NOT_FOUND,
    ("*.VoiceConnectorId", "*"): NOT_FOUND,
    ("DescribeSupport.OperationName", "*"): NOT_FOUND,
    ("RemoveOptOut.*PhoneNumber", "*"): NOT_FOUND,
    ("ImportPhoneNumbers.CarrierName", "*"): BAD_REQUEST,
    # No longer than closed sessions are kept, which the settings say.
    ("PutVoiceConnectorRules.NumberRestMinutes", "the max"): BAD_REQUEST,
}

# Answers that are not what the model says, on purpose.
ANSWERED = {
    # Resources without tags have an empty list of them, whatever its least length: clients read
    # the member without looking whether it is there.
    ("ListTagsForResource", ".Tags has length 0"),
}

# Members whose name means something else in the answer: what the one called sees and what rings,
# and the new key.
NOT_REPEATED = {
    ("EvaluateRoute", "Caller"),
    ("EvaluateRoute", "Called"),
    ("RotateAccessKey", "AccessKeyId"),
}


def meant(lines, operation, case):
    """The first line that is about the case, None when there is none."""
    name = f"{operation}.{case.place}"
    for place, what in lines:
        if fnmatchcase(name, place) and fnmatchcase(case.what, what):
            return place, what
    return None
