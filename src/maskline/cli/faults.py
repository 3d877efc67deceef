"""Every way a command ends badly, each with the exit code and the form of AWS CLI 2.

252: the words typed are wrong. 253: the configuration is. 254: the server said no. 255: the rest.
"""

USAGE = """\
usage: maskline [options] <command> <subcommand> [<subcommand> ...] [parameters]
To see help text, you can run:

  maskline help
  maskline <command> help
  maskline <command> <subcommand> help
"""


class Fault(Exception):
    """A command cannot go on. `str(fault)` is the text for the user.

    `code` is the name shown in brackets; without one only the text is shown.
    `hint` tells a newcomer what to do next; it is printed on a line of its own.
    """

    status = 255
    code = ""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint

    def headline(self) -> str:
        """The text as it is shown after `maskline: [ERROR]: `."""
        return f"An error occurred ({self.code}): {self}" if self.code else str(self)

    def details(self) -> dict[str, object]:
        """The fault as a structure, for `--cli-error-format json` and its kin."""
        return {"Code": self.code, "Message": str(self)} if self.code else {}


class BadParameters(Fault):
    """The words typed, or the values in them, are not acceptable."""

    status = 252
    code = "ParamValidation"


class BadUsage(BadParameters):
    """The words do not form a command; the usage is shown below the text."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(f"{text}\n\n{USAGE}", hint)


class UnknownOptions(Fault):
    """Words were left over. The usage comes first, as in AWS CLI 2."""

    status = 252

    def __init__(self, words: list[str], hint: str = "") -> None:
        super().__init__(f"Unknown options: {', '.join(words)}", hint)


class BadValue(BadParameters):
    """The value of one option cannot be read."""

    def __init__(self, option: str, text: str, hint: str = "") -> None:
        super().__init__(f"Error parsing parameter '{option}': {text}", hint)


class BadConfiguration(Fault):
    """A setting in the AWS files or variables cannot be used."""

    status = 253
    code = "Configuration"


class NoCredentials(Fault):
    """No access key was found anywhere."""

    status = 253
    code = "NoCredentials"


class ServerError(Fault):
    """The server answered with an error.

    `name` is the exception's name on the wire, `operation` the operation that was called,
    `retries` how often the request was repeated (None: not at all).
    """

    status = 254

    def __init__(self, name: str, message: str, operation: str, retries: int | None) -> None:
        self.name, self.message = name, message
        reached = f" (reached max retries: {retries})" if retries is not None else ""
        super().__init__(
            f"An error occurred ({name}) when calling the {operation} operation{reached}: {message}"
        )

    def details(self) -> dict[str, object]:
        return {"Message": self.message, "Code": self.name}
