"""Finding the access key, in the order of the AWS clients, then the server's own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maskline.cli.faults import BadConfiguration, Fault, NoCredentials
from maskline.cli.profile import Profile
from maskline.cli.signer import AccessKey

SECRET_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
PROCESS = "custom-process"
Source = Callable[[Profile], AccessKey | None]


def find_key(profile: Profile, prefer_beside: bool) -> AccessKey:
    """The access key for a request.

    `prefer_beside`: the request goes to the server beside because nothing else was asked for;
    then that server's own key comes before the user's AWS files, which hold keys for elsewhere.
    Raises NoCredentials, and Fault for keys that are there in part.
    """
    files: list[Source] = [_from_shared, _from_process, _from_config]
    if profile.chosen or profile.name != "default":
        sources = [*files, _from_elsewhere, _from_beside]
    elif prefer_beside:
        sources = [_from_beside, *files, _from_elsewhere]
    else:
        sources = [*files, _from_beside, _from_elsewhere]
    for source in (_from_variables, *sources):
        if key := source(profile):
            return key
    raise NoCredentials(
        'Unable to locate credentials. You can configure credentials by running "aws configure".',
        _where_a_key_is(profile.beside.credentials_file),
    )


def _where_a_key_is(path: Path) -> str:
    try:
        path.open().close()
    except PermissionError:
        return f"this user may not read {path}, the server's own key; run this as its owner"
    except OSError:
        pass
    return (
        f"a server's first start writes an access key to {path}; run this command from the"
        " directory where the server was started, or set AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY"
    )


def _from_variables(profile: Profile) -> AccessKey | None:
    if profile.chosen:
        return None
    values = dict(zip(SECRET_NAMES, map(profile.environment.get, SECRET_NAMES), strict=True))
    return _assemble(values, SECRET_NAMES, "env")


def _from_shared(profile: Profile) -> AccessKey | None:
    return _from_section(profile.shared, "shared-credentials-file")


def _from_config(profile: Profile) -> AccessKey | None:
    return _from_section(profile.config, "config-file")


def _from_section(section: Mapping[str, Any], source: str) -> AccessKey | None:
    return _assemble(section, tuple(name.lower() for name in SECRET_NAMES), source)


def _from_elsewhere(profile: Profile) -> None:
    """Refuse a profile whose keys come by a way that is not offered."""
    for name in ("role_arn", "sso_session", "sso_start_url"):
        if profile.setting(name):
            raise BadConfiguration(
                f'Profile "{profile.name}" gets its keys by {name}, which Maskline does not offer.'
                " Put aws_access_key_id and aws_secret_access_key into the profile."
            )


def _from_beside(profile: Profile) -> AccessKey | None:
    section = {name.lower(): profile.beside.setting(name.lower()) for name in SECRET_NAMES}
    return _from_section(section, str(profile.beside.credentials_file))


def _assemble(values: Mapping[str, Any], names: tuple[str, ...], source: str) -> AccessKey | None:
    """An access key from its parts; None when there is no id."""
    key_id, secret, token = (values.get(name) for name in names)
    if not key_id:
        return None
    if not secret:
        raise Fault(f"Partial credentials found in {source}, missing: {names[1]}")
    return AccessKey(key_id, secret, token or None, source)


def _from_process(profile: Profile) -> AccessKey | None:
    """Ask the program that `credential_process` names."""
    command = profile.setting("credential_process")
    if not command:
        return None
    import json
    import shlex
    import subprocess

    try:
        done = subprocess.run(shlex.split(command), capture_output=True, check=False)
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError) as error:
        raise _process_fault(str(error)) from None
    if not isinstance(answer, dict):
        raise _process_fault(done.stderr.decode(errors="replace").strip())
    if answer.get("Version") != 1:
        raise _process_fault(
            f"Unsupported version '{answer.get('Version', '<Version key not provided>')}' for"
            " credential process provider, supported versions: 1"
        )
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    if missing := [name for name in names[:2] if not isinstance(answer.get(name), str)]:
        raise _process_fault(f"Missing required key in response: {missing[0]!r}")
    return _assemble(answer, names, PROCESS)


def _process_fault(reason: str) -> Fault:
    return Fault(f"Error when retrieving credentials from {PROCESS}: {reason}")
