"""The user's settings: AWS files and variables, and the server started beside."""

import os
from collections.abc import Mapping
from pathlib import Path

from maskline.cli.faults import Fault
from maskline.cli.ini import NotIni, Section, profiles, read_ini

DEFAULT_REGION = "us-east-1"
DEFAULT_LISTEN = "127.0.0.1:8080"
# Under which names a service is known to AWS_ENDPOINT_URL_… and to `services` sections. One
# Maskline server answers for all of them, so each service also listens to the others' names.
SERVICE_NAMES = ("chime_sdk_voice", "chime", "maskline")


class Profile:
    """One profile: settings looked up in the order options, variables, files.

    `chosen` is the profile named by an option; it also puts the variables' access key aside.
    """

    def __init__(self, chosen: str | None, environment: Mapping[str, str] = os.environ) -> None:
        self.environment = environment
        self.chosen = chosen
        named = chosen or environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
        self.name = named or "default"
        self._config = _read(environment.get("AWS_CONFIG_FILE", "~/.aws/config"))
        keys = _read(environment.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
        config, shared = profiles(self._config, config=True), profiles(keys, config=False)
        if named and self.name not in config and self.name not in shared:
            raise Fault(f"The config profile ({self.name}) could not be found")
        self.config = config.get(self.name, {})
        self.shared = shared.get(self.name, {})
        self.beside = Beside()

    def setting(self, name: str, *variables: str) -> str | None:
        """A setting by its variables, then by its name in the files."""
        for variable in variables:
            if self.environment.get(variable):
                return self.environment[variable]
        value = self.shared.get(name) or self.config.get(name)
        return value if isinstance(value, str) and value else None

    def region(self, option: str | None) -> str:
        """The region that signatures name. Any will do for the server."""
        region = option or self.setting("region", "AWS_REGION", "AWS_DEFAULT_REGION")
        return region or self.beside.setting("region") or DEFAULT_REGION

    def endpoint(self, option: str | None, service: str) -> str | None:
        """The URL that the user asks for; None when nobody named one."""
        if option:
            return option
        ignore = self.setting("ignore_configured_endpoint_urls", IGNORE_ENDPOINTS) or ""
        if ignore.lower() == "true":
            return None
        names = sorted(SERVICE_NAMES, key=lambda name: name != service)
        variables = [f"AWS_ENDPOINT_URL_{name.upper()}" for name in names]
        for variable in [*variables, "AWS_ENDPOINT_URL"]:
            if self.environment.get(variable):
                return self.environment[variable]
        return self._service_endpoint(names) or self.setting("endpoint_url")

    def _service_endpoint(self, names: list[str]) -> str | None:
        """The URL in the `services` section that the profile points to."""
        chosen = self.setting("services")
        section = self._config.get(f"services {chosen}", {}) if chosen else {}
        for name in names:
            service = section.get(name)
            if isinstance(service, dict) and isinstance(service.get("endpoint_url"), str):
                return str(service["endpoint_url"])
        return None


IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


# Where a server that listens on all addresses can be reached from the same machine.
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - looked for, not bound


class Beside:
    """The server started from the current directory, as far as its files tell.

    `make serve` writes `maskline.toml` there, and the first access key into the data directory.
    """

    def __init__(self, directory: Path = Path(), name: str = "maskline.toml") -> None:
        self._directory = directory
        self._name = name
        self._section: Section | None = None

    @property
    def credentials_file(self) -> Path:
        """Where the server keeps the access key it made at its first start."""
        data_dir = self._settings().get("data_dir", "var")
        return self._directory / str(data_dir) / "credentials"

    def setting(self, name: str) -> str | None:
        """A setting of the server's own credentials file."""
        if self._section is None:
            found = profiles(_read(str(self.credentials_file)), config=False)
            self._section = found.get("default", {})
        value = self._section.get(name)
        return value if isinstance(value, str) and value else None

    def endpoint(self) -> str:
        """Where the server listens."""
        listen = self._api().get("listen")
        if self.setting("endpoint_url"):
            return str(self.setting("endpoint_url"))
        scheme = "https" if self.certificate() else "http"
        if not isinstance(listen, str):
            listen = DEFAULT_LISTEN
        host, _, port = listen.rpartition(":")
        return f"{scheme}://{EVERYWHERE.get(host, host)}:{port}"

    def certificate(self) -> Path | None:
        """The file with the certificate that the server shows, where it speaks TLS."""
        tls = self._api().get("tls")
        file = tls.get("certificate") if isinstance(tls, dict) else None
        return self._directory / file if isinstance(file, str) else None

    def _api(self) -> dict[str, object]:
        api = self._settings().get("api")
        return api if isinstance(api, dict) else {}

    def _settings(self) -> dict[str, object]:
        """The server's settings file, unchecked: checking is the server's own business."""
        path = self._directory / self._name
        if not path.is_file():
            return {}
        import tomllib

        try:
            return tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            return {}


def _read(name: str) -> dict[str, Section]:
    """The sections of a file; none when there is no file. Nobody needs to have a home."""
    path = Path(os.path.expanduser(os.path.expandvars(name)))
    try:
        return read_ini(path.read_text(encoding="utf-8"))
    except (NotIni, UnicodeDecodeError):
        raise Fault(f"Unable to parse config file: {path}") from None
    except OSError:
        return {}
