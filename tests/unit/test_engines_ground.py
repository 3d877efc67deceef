"""The ground: directories, users, ports; and what is said when they cannot be had."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from maskline.engines import ground
from maskline.engines.ground import GroundError, Runner, bound, claim, free_udp_port
from maskline.engines.voice import check_ground
from maskline.settings import PortRange, Settings


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not started by root, whoever runs the test."""
    me = os.geteuid()
    monkeypatch.setattr(ground.os, "geteuid", lambda: me or 1000)
    monkeypatch.setattr(ground.os, "chown", lambda *_: None)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Started by root, whoever runs the test."""
    monkeypatch.setattr(ground.os, "geteuid", lambda: 0)
    monkeypatch.setattr(ground.os, "chown", lambda *_: None)
    monkeypatch.setattr(ground, "RUNTIME", tmp_path / "runtime")


def test_a_data_directory_is_claimed_once(tmp_path: Path) -> None:
    held = claim(tmp_path / "data")
    with pytest.raises(GroundError, match="data_dir: another Maskline is running"):
        claim(tmp_path / "data")
    os.close(held)
    os.close(claim(tmp_path / "data"))


def test_a_data_directory_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GroundError, match=r"data_dir: cannot use .*file: File exists"):
        claim(tmp_path / "file")
    with pytest.raises(GroundError, match=r"data_dir: cannot use .*data: Not a directory"):
        claim(tmp_path / "file" / "data")


def test_a_node_keeps_its_id(tmp_path: Path) -> None:
    node = ground.node_of(tmp_path)
    assert len(bytes.fromhex(node)) == 4
    assert ground.node_of(tmp_path) == node


@pytest.mark.parametrize("content", ["", "\n", "1a2b3c4", "a node"])
def test_a_node_without_a_name_does_not_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "node").write_text(content)
    with pytest.raises(GroundError, match="node holds no node's name"):
        ground.node_of(tmp_path)


def test_a_copy_of_a_directory_is_another_place(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    place = ground.machine(first)
    assert ground.machine(first) == place != ground.machine(second)


def test_a_node_that_cannot_write_its_name_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(ground.os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        ground.node_of(tmp_path)
    assert not (tmp_path / "node").exists()


@pytest.mark.usefixtures("ordinary")
def test_an_ordinary_user_runs_in_the_data_directory(tmp_path: Path) -> None:
    assert ground.run_directory(tmp_path) == tmp_path / "run"
    assert ground.run_directory(tmp_path).is_dir()


@pytest.mark.usefixtures("ordinary")
def test_an_ordinary_user_takes_over_from_root(tmp_path: Path) -> None:
    (tmp_path / "of-root").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "of-root")
    assert ground.run_directory(tmp_path) == tmp_path / "run"


@pytest.mark.parametrize("name", ["josé", 'a "b"', "a\\b", "a\nb"])
def test_a_path_that_no_engine_takes_is_named(name: str) -> None:
    told = r"(?s)data_dir: .* is a path that the engines cannot take"
    with pytest.raises(GroundError, match=told):
        check_ground(Settings(), Path("/srv") / name / "run")


@pytest.mark.usefixtures("root")
def test_root_runs_where_engines_can_reach(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    other.mkdir()
    run = ground.run_directory(data)
    assert run.parent == tmp_path / "runtime"
    assert (data / "run").resolve() == run
    assert ground.run_directory(data) == run
    assert ground.run_directory(other) != run
    assert stat.S_IMODE(run.stat().st_mode) == 0o711


@pytest.mark.usefixtures("root")
def test_root_takes_over_from_an_ordinary_user(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "left").touch()
    run = ground.run_directory(tmp_path)
    assert (tmp_path / "run").is_symlink()
    assert list(run.iterdir()) == []


@pytest.mark.usefixtures("root")
def test_under_root_an_engine_gets_a_user_of_its_own() -> None:
    command = Runner("nobody", 65534, 65533).command("true", "-x")
    assert command[1:6] == [
        "--pdeathsig=TERM", "--no-new-privs", "--reuid=65534", "--regid=65533", "--clear-groups",
    ]  # fmt: skip
    assert command[6:] == ["--", ground.find("true"), "-x"]


@pytest.mark.usefixtures("ordinary")
def test_otherwise_it_runs_as_ourselves() -> None:
    runner = Runner.named("no such user", "sip.user")
    assert (runner.uid, runner.gid) == (ground.os.geteuid(), os.getegid())
    assert not any(word.startswith("--reuid") for word in runner.command("true"))


@pytest.mark.usefixtures("root")
def test_a_user_must_exist_and_not_be_root() -> None:
    with pytest.raises(GroundError, match=r"sip\.user: there is no user 'nobody-at-all'"):
        Runner.named("nobody-at-all", "sip.user")
    with pytest.raises(GroundError, match=r"sip\.user: an engine is never run as root"):
        Runner.named("root", "sip.user")


def test_what_an_engine_takes_nobody_else_can_read(tmp_path: Path) -> None:
    own = ground.empty_directory(tmp_path / "engine")
    (own / "script").mkdir(mode=0o755)
    (own / "script" / "file").write_text("x")
    (own / "script" / "file").chmod(0o644)
    Runner("me", os.geteuid(), os.getegid()).take(own)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [own, *own.rglob("*")]}
    assert modes == {"engine": 0o700, "script": 0o700, "file": 0o600}
    assert list(ground.empty_directory(own).iterdir()) == []


def test_what_a_link_leads_to_is_not_given_away(tmp_path: Path) -> None:
    own, other = ground.empty_directory(tmp_path / "engine"), tmp_path / "other"
    other.write_text("not the engine's")
    other.chmod(0o644)
    (own / "link").symlink_to(other)
    (own / "dangling").symlink_to(tmp_path / "nowhere")
    Runner("me", os.geteuid(), os.getegid()).take(own)
    assert stat.S_IMODE(other.stat().st_mode) == 0o644


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that an earlier start has made; with two directories of others' beside it, and a file."""
    monkeypatch.setattr(ground, "SPOOL", tmp_path / "spools")
    for path in ("data", "foreign", "foreign/within"):
        (tmp_path / path).mkdir(mode=0o755)
    (tmp_path / "secret").touch(mode=0o644)
    return ground.spool_directory(tmp_path / "data", anybody())


def anybody() -> Runner:
    """Another user, where we may be others."""
    return Runner("me", 65_533, 65_532) if os.geteuid() == 0 else Runner.named("me", "media.user")


def test_a_spool_with_links_is_taken_and_nothing_else_is(tmp_path: Path, spool: Path) -> None:
    """The owner of the spool may have put anything in it; the service starts nevertheless."""
    (spool / "pcaps").mkdir()
    for name in ("foreign", "secret", "nowhere"):
        (spool / name).symlink_to(tmp_path / name)
        (spool / "pcaps" / name).symlink_to(tmp_path / name)
    os.link(tmp_path / "secret", spool / "another-name")
    os.mkfifo(spool / "pipe")
    others = [tmp_path / name for name in ("foreign", "foreign/within", "secret")]
    before = [path.stat() for path in others]
    assert ground.spool_directory(tmp_path / "data", anybody()) == spool
    assert [path.stat() for path in others] == before
    for path in (spool, spool / "pcaps"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert path.stat().st_uid == anybody().uid


def test_a_missing_program_is_named() -> None:
    with pytest.raises(GroundError, match="no-such-program is not installed"):
        ground.find("no-such-program")


@pytest.mark.parametrize(
    ("kind", "name"), [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")]
)
def test_a_taken_port_is_named_with_its_setting(kind: socket.SocketKind, name: str) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        told = rf"sip\.listen: cannot use {name} port {port} of 127\.0\.0\.1: .+; `ss -lntup` shows"
        with pytest.raises(GroundError, match=told):
            bound(kind, "127.0.0.1", port, "sip.listen")


def test_an_address_of_another_machine_is_named_without_a_port_that_nobody_chose() -> None:
    told = r"^media\.address: cannot use 192\.0\.2\.1: .+, which `ip address` shows$"
    with pytest.raises(GroundError, match=told):
        bound(socket.SOCK_DGRAM, "192.0.2.1", 0, "media.address")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_two_doors_of_ours_are_not_at_one_address(host: str) -> None:
    """One of them would get all that is meant for the other."""
    with bound(socket.SOCK_STREAM, host, 0, "api.listen") as door:
        port = door.getsockname()[1]
        with pytest.raises(GroundError, match=rf"^health\.listen: cannot use TCP port {port}"):
            bound(socket.SOCK_STREAM, "127.0.0.1", port, "health.listen")


def test_a_free_port_avoids_the_media_ports() -> None:
    ports = PortRange(32768, 60000)
    assert free_udp_port("127.0.0.1", ports) not in ports
    with pytest.raises(GroundError, match=r"media\.ports: 1024-65535 leaves no port free"):
        free_udp_port("127.0.0.1", PortRange(1024, 65535))
