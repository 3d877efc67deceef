"""Options of the whole program: they may stand before the command, after it, or in between."""

import sys
from typing import Any, NamedTuple

from maskline.cli.faults import BadParameters, Fault
from maskline.cli.options import Option
from maskline.cli.profile import Profile

LONGEST_TIMEOUT = 365 * 24 * 3600  # seconds; a socket takes no more than some centuries
ERROR_FORMATS = ("legacy", "json", "yaml", "text", "table", "enhanced")


def _switch(name: str, key: str, documentation: str, fixed: bool = True) -> Option:
    return Option(name, key, "none", fixed, documentation=documentation, type_name="boolean")


OPTIONS: tuple[Option, ...] = (
    _switch("debug", "debug", "Show on standard error what is sent and received."),
    Option(
        "endpoint-url",
        "endpoint_url",
        documentation="The URL of the server, such as http://127.0.0.1:8080.",
    ),
    _switch(
        "no-verify-ssl",
        "verify_ssl",
        "Do not check the server's certificate. For trials only.",
        fixed=False,
    ),
    _switch(
        "no-paginate",
        "paginate",
        "Accepted for the sake of scripts. Every command makes one request and shows one page.",
        fixed=False,
    ),
    Option(
        "output",
        "output",
        choices=("json", "text", "table", "yaml", "yaml-stream", "off"),
        documentation="How the answer is written.",
    ),
    Option("query", "query", documentation="A JMESPath expression that picks from the answer."),
    Option("profile", "profile", documentation="The profile of the AWS files to use."),
    Option("region", "region", documentation="The region to sign for. The server takes any."),
    _switch("version", "version", "Show the version."),
    Option(
        "color",
        "color",
        choices=("on", "off", "auto"),
        documentation="Whether tables are coloured. auto: on a terminal, unless NO_COLOR is set.",
    ),
    _switch(
        "no-sign-request", "sign_request", "Send the request without a signature.", fixed=False
    ),
    Option(
        "ca-bundle",
        "ca_bundle",
        documentation="A file of certificate authorities to check the server's certificate with.",
    ),
    Option(
        "cli-read-timeout",
        "read_timeout",
        documentation="How many seconds to wait for an answer; 0 waits for ever. Left out, 60.",
        type_name="int",
    ),
    Option(
        "cli-connect-timeout",
        "connect_timeout",
        documentation="How many seconds to wait for a connection; 0 waits for ever. Left out, 60.",
        type_name="int",
    ),
    Option(
        "cli-binary-format",
        "binary_format",
        choices=("base64", "raw-in-base64-out"),
        documentation="Accepted for the sake of scripts. No parameter takes binary values.",
    ),
    _switch("no-cli-pager", "no_cli_pager", "Show long output without a pager."),
    _switch("cli-auto-prompt", "auto_prompt", "Not offered: there is no prompt mode."),
    _switch("no-cli-auto-prompt", "no_auto_prompt", "Accepted; there is no prompt mode."),
    Option(
        "cli-error-format",
        "error_format",
        choices=ERROR_FORMATS,
        documentation="How errors are written to standard error.",
    ),
)


class Globals(NamedTuple):
    """What the program's options and the user's settings come to."""

    profile: Profile
    values: dict[str, Any]
    query: Any = None  # a compiled JMESPath expression

    @property
    def debug(self) -> bool:
        return bool(self.values.get("debug"))

    def text(self, key: str) -> str | None:
        """The value of an option that was given."""
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def output(self, default: str = "json") -> str:
        """The format of answers; `default` where nobody chose one."""
        return (
            self.text("output") or self.profile.setting("output", "AWS_DEFAULT_OUTPUT") or default
        )

    def pager(self) -> str:
        """The program that shows long output on a terminal; empty for none."""
        if not sys.stdout.isatty() or self.values.get("no_cli_pager"):
            return ""
        environment = self.profile.environment
        if "AWS_PAGER" in environment:
            return environment["AWS_PAGER"]
        chosen = self.profile.setting("cli_pager") or environment.get("PAGER")
        if chosen is not None:
            return chosen
        import shutil

        return shutil.which("less") or ""


def resolve(values: dict[str, Any]) -> Globals:
    """The settings behind the options; raises Fault where they cannot be used."""
    if values.get("auto_prompt"):
        raise BadParameters(
            "--cli-auto-prompt is not offered.",
            "`maskline <command> <subcommand> help` shows the options, and"
            " `maskline completion` completes them in your shell",
        )
    endpoint = values.get("endpoint_url")
    if endpoint is not None and "://" not in endpoint and ":" not in endpoint:
        raise BadParameters(
            f'Bad value for --endpoint-url "{endpoint}": scheme is missing.  Must be of the form'
            " http://<hostname>/ or https://<hostname>/"
        )
    for kind in ("connect", "read"):
        if (key := f"{kind}_timeout") in values:
            values[key] = seconds(kind, values[key])
    query = compile_query(values["query"]) if "query" in values else None
    return Globals(Profile(values.get("profile")), values, query)


def seconds(kind: str, text: str) -> int:
    """How long to wait, where `kind` is what for; raises Fault in the words of AWS CLI 2."""
    number = whole_number(text)
    if number < 0:
        raise Fault(
            f"Attempted to set {kind} timeout to {number}, but the timeout cannot be set to a value"
            " less than or equal to 0."
        )
    return min(number, LONGEST_TIMEOUT)


def whole_number(text: str) -> int:
    """The number a text spells; raises Fault in Python's own words, as AWS CLI 2 does."""
    try:
        return int(text)
    except ValueError as error:
        raise Fault(str(error)) from None


def compile_query(expression: str) -> Any:
    """A JMESPath expression, ready for use. Raises BadParameters."""
    import jmespath

    try:
        return jmespath.compile(expression)
    except (ValueError, RecursionError) as error:  # all of the library's errors are ValueErrors
        raise BadParameters(f"Bad value for --query {expression}: {error}") from None
