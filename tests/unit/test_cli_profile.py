"""Where settings and keys come from, and which of them wins."""

from collections.abc import Callable
from pathlib import Path

import pytest

from maskline.cli.credentials import find_key
from maskline.cli.faults import Fault, NoCredentials
from maskline.cli.ini import NotIni, read_ini
from maskline.cli.profile import Beside, Profile

Make = Callable[..., Profile]

OWN = "[default]\naws_access_key_id = AKIDBESIDE\naws_secret_access_key = secret\n"
SHARED = OWN.replace("AKIDBESIDE", "AKIDSHARED")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A profile of a user whose files are in a directory of their own."""
    monkeypatch.chdir(tmp_path)

    def profile(chosen: str | None = None, **environment: str) -> Profile:
        places = {
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "shared"),
        }
        return Profile(chosen, {**places, **environment})

    return profile


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_sections_settings_and_nested_settings() -> None:
    text = (
        "# a\n[profile  x]\nOne = 1\n; b\ntwo=2=2\ns3 =\n  deep = yes\n  er = no\n\n[services a]\n"
    )
    assert read_ini(text) == {
        "profile x": {"one": "1", "two": "2=2", "s3": {"deep": "yes", "er": "no"}},
        "services a": {},
    }


def test_a_colon_stands_for_an_equals_sign_but_for_nested_settings() -> None:
    text = "[a]\nRegion: eu-west-2\nurl = http://b\nall: http://c=d\nnested:\n  e:f = http://g\n"
    assert read_ini(text) == {
        "a": {
            "region": "eu-west-2",
            "url": "http://b",
            "all": "http://c=d",
            "nested": {"e:f": "http://g"},
        }
    }


@pytest.mark.parametrize("text", ["name = 1", "[a]\nnonsense", "nonsense", "[a]\nb =\n  c: d"])
def test_what_is_no_ini_is_refused(text: str) -> None:
    with pytest.raises(NotIni):
        read_ini(text)


def test_the_server_beside_is_asked_where_nobody_names_another(make: Make, tmp_path: Path) -> None:
    profile = make()
    assert profile.endpoint(None, "chime") is None
    assert profile.beside.endpoint() == "http://127.0.0.1:8080"
    write(tmp_path / "maskline.toml", 'data_dir = "data"\n[api]\nlisten = "127.0.0.1:9999"\n')
    assert profile.beside.endpoint() == "http://127.0.0.1:9999"
    assert profile.beside.credentials_file == Path("data/credentials")


@pytest.mark.parametrize(
    ("listen", "endpoint"),
    [("0.0.0.0:80", "http://127.0.0.1:80"), ("[::]:8080", "http://[::1]:8080")],
)
def test_a_server_on_all_addresses_is_reached_on_this_machine(
    tmp_path: Path, listen: str, endpoint: str
) -> None:
    write(tmp_path / "maskline.toml", f'[api]\nlisten = "{listen}"\n')
    assert Beside(tmp_path).endpoint() == endpoint


@pytest.mark.parametrize("text", ["[api", "api = 1", "\xff"])
def test_a_broken_settings_file_is_the_servers_business(tmp_path: Path, text: str) -> None:
    (tmp_path / "maskline.toml").write_bytes(text.encode("latin-1"))
    assert Beside(tmp_path).endpoint() == "http://127.0.0.1:8080"


def test_the_key_beside_is_for_the_server_beside(make: Make, tmp_path: Path) -> None:
    """A user's AWS key is for AWS: it is used only where the user named a server."""
    write(tmp_path / "var/credentials", OWN)
    write(tmp_path / "shared", SHARED)
    assert find_key(make(), prefer_beside=True).id == "AKIDBESIDE"
    assert find_key(make(), prefer_beside=False).id == "AKIDSHARED"


def test_what_the_user_names_wins_over_the_key_beside(make: Make, tmp_path: Path) -> None:
    write(tmp_path / "var/credentials", OWN)
    write(tmp_path / "shared", SHARED + SHARED.replace("default", "other").replace("ARED", "OTHER"))
    assert find_key(make("other"), prefer_beside=True).id == "AKIDSHOTHER"
    assert find_key(make(AWS_PROFILE="other"), prefer_beside=True).id == "AKIDSHOTHER"
    key = {"AWS_ACCESS_KEY_ID": "AKIDVARIABLE", "AWS_SECRET_ACCESS_KEY": "x"}
    assert find_key(make(**key), prefer_beside=True).id == "AKIDVARIABLE"


def test_the_key_beside_is_the_last_resort_for_any_server(make: Make, tmp_path: Path) -> None:
    write(tmp_path / "var/credentials", OWN)
    key = find_key(make(), prefer_beside=False)
    assert (key.id, key.source) == ("AKIDBESIDE", "var/credentials")


def test_variables_in_the_names_of_the_files(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS", str(tmp_path))
    write(tmp_path / "keys", SHARED)
    assert find_key(make(AWS_SHARED_CREDENTIALS_FILE="$KEYS/keys"), False).id == "AKIDSHARED"


def test_a_user_without_a_home(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, under a number that no user of it has."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54321)
    assert make(AWS_CONFIG_FILE="~/.aws/config").region(None) == "us-east-1"


def test_no_key_anywhere(make: Make) -> None:
    with pytest.raises(NoCredentials) as caught:
        find_key(make(), prefer_beside=True)
    assert "var/credentials" in caught.value.hint


def test_a_key_that_the_user_may_not_read(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Played, for root may read everything."""

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    write(tmp_path / "var/credentials", OWN)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(NoCredentials) as caught:
        find_key(make(), prefer_beside=True)
    assert "this user may not read var/credentials" in caught.value.hint


@pytest.mark.parametrize("name", ["role_arn", "sso_session"])
def test_ways_to_a_key_that_are_not_offered_are_named(
    make: Make, tmp_path: Path, name: str
) -> None:
    write(tmp_path / "config", f"[default]\n{name} = x\n")
    with pytest.raises(Fault, match=name):
        find_key(make(), prefer_beside=True)


@pytest.mark.parametrize("prefer_beside", [True, False])
def test_the_key_beside_stands_for_no_role_that_was_asked_for(
    make: Make, tmp_path: Path, prefer_beside: bool
) -> None:
    write(tmp_path / "var/credentials", OWN)
    write(tmp_path / "config", "[profile reader]\nrole_arn = x\n[default]\nrole_arn = x\n")
    with pytest.raises(Fault, match="role_arn"):
        find_key(make("reader"), prefer_beside)
    with pytest.raises(Fault, match="role_arn"):
        find_key(make(AWS_PROFILE="reader"), prefer_beside)
    assert find_key(make(), prefer_beside).id == "AKIDBESIDE"


@pytest.mark.parametrize(
    ("environment", "service", "endpoint"),
    [
        ({"AWS_ENDPOINT_URL": "http://a"}, "chime", "http://a"),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_CHIME": "http://b"},
            "chime",
            "http://b",
        ),
        ({"AWS_ENDPOINT_URL_CHIME": "http://b"}, "chime_sdk_voice", "http://b"),
        ({"AWS_ENDPOINT_URL_CHIME_SDK_VOICE": "http://c"}, "maskline", "http://c"),
        (
            {"AWS_ENDPOINT_URL_CHIME": "http://b", "AWS_ENDPOINT_URL_CHIME_SDK_VOICE": "http://c"},
            "chime_sdk_voice",
            "http://c",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
            "chime",
            None,
        ),
    ],
)
def test_variables_that_name_the_server(
    make: Make, environment: dict[str, str], service: str, endpoint: str | None
) -> None:
    assert make(**environment).endpoint(None, service) == endpoint
    assert make(**environment).endpoint("http://option", service) == "http://option"
