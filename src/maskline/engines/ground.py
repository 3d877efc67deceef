"""The ground an engine stands on: its directory, its system user, its ports, its programs.

`<data_dir>/run` holds what lives as long as the service runs. Started by root, the service gives
each engine an unprivileged user, which often cannot reach the data directory (a clone in /root,
say); `run` is then a link to a directory of the service's own in /run.
"""

import errno
import fcntl
import hashlib
import os
import pwd
import re
import secrets
import shutil
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from maskline.settings import PortRange

# Debian keeps daemons where an ordinary user's PATH does not look.
DAEMON_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
RUNTIME = Path("/run/maskline")
SPOOL = Path("/var/spool/maskline")
MANY = 1000
NODE = re.compile("[0-9a-f]{8}")
DIRECTORY_ITSELF = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW  # and not what a link leads to


class GroundError(Exception):
    """The service cannot start here; the text tells the operator what to change."""


def claim(data_dir: Path) -> int:
    """Makes the data directory and takes it for this process as long as the answer stays open.

    Two services in one directory would end each other's engines.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        held = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise GroundError(f"data_dir: cannot use {data_dir}: {error.strerror}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise GroundError(
            f"data_dir: another Maskline is running in {data_dir}; stop it or choose another"
        ) from None
    return held


def run_directory(data_dir: Path) -> Path:
    """The directory for sockets, rendered configuration and process ids, with no link in it."""
    run = data_dir / "run"
    if os.geteuid() != 0:
        if run.is_symlink():
            run.unlink()
        run.mkdir(exist_ok=True)
        return run.resolve()
    own = own_directory(RUNTIME, data_dir)
    if run.is_dir() and not run.is_symlink():
        shutil.rmtree(run)
    run.unlink(missing_ok=True)
    run.symlink_to(own)
    return own


def own_directory(root: Path, data_dir: Path) -> Path:
    """A directory below `root` for the service of this data directory, which all may pass."""
    own = root / hashlib.sha256(bytes(data_dir)).hexdigest()[:12]
    for directory in (root, own):
        directory.mkdir(exist_ok=True)
        directory.chmod(0o711)
    return own


def spool_directory(data_dir: Path, runner: "Runner") -> Path:
    """Where rtpengine writes down what it hears; on disk, and kept when the service restarts."""
    root = own_directory(SPOOL, data_dir) if os.geteuid() == 0 else data_dir
    spool = root / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    runner.may_write_in(spool)
    return spool.resolve()


def node_of(data_dir: Path) -> str:
    """What tells this node from others that share a database: eight hex digits, made once.

    Calls are a node's by the beginning of their ids. An empty name, of a file that a lost machine
    left empty, would make all of them this node's. Raises GroundError where there is no name.
    """
    path = data_dir / "node"
    if not path.exists():
        make_node(path)
    name = path.read_text(encoding="ascii", errors="replace").strip()
    if not NODE.fullmatch(name):
        raise GroundError(
            f"data_dir: {path} holds no node's name, which is eight hex digits;"
            " remove it, and this node gets a new one"
        )
    return name


def make_node(path: Path) -> None:
    """The file is there with its content or not at all."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="ascii") as file:
        file.write(secrets.token_hex(4))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def machine(data_dir: Path) -> str:
    """What tells this machine, or container, from all others, until it is started again, and this
    directory from others there. Copies share whatever is on disk, /etc/machine-id, too."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    network, directory = os.stat("/proc/self/ns/net"), os.stat(data_dir)
    place = f"{boot} {network.st_ino} {directory.st_dev} {directory.st_ino}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Runner:
    """Who an engine runs as: a system user when we are root, ourselves otherwise."""

    user: str
    uid: int
    gid: int

    @classmethod
    def named(cls, user: str, setting: str) -> "Runner":
        if os.geteuid() != 0:
            return cls(user, os.geteuid(), os.getegid())
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            raise GroundError(f"{setting}: there is no user {user!r} on this system") from None
        if entry.pw_uid == 0:
            raise GroundError(f"{setting}: an engine is never run as root")
        return cls(user, entry.pw_uid, entry.pw_gid)

    def command(self, program: str, *arguments: str) -> list[str]:
        """A command that runs the program as this user, and that dies with the one who ran it."""
        command = [find("setpriv"), "--pdeathsig=TERM", "--no-new-privs"]
        if os.geteuid() == 0:
            command += [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        return [*command, "--", find(program), *arguments]

    def take(self, directory: Path) -> None:
        """Gives the directory with all in it to this user alone. We have just made it: one that was
        given away already may hold links to what is not its owner's.

        The directory itself comes last: until then its new owner cannot reach into it.
        """
        for path in [*directory.rglob("*"), directory]:
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)
                os.chown(path, self.uid, self.gid)

    def may_write_in(self, directory: Path) -> None:
        """Gives a directory that lasts, and the directories in it, to this user alone. What lies in
        them stays as it is.

        An earlier start gave it away, so whatever has a name in it may lead elsewhere: no link is
        followed, and no file is touched, which may have another name outside.
        """
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in os.listdir(held):
                with suppress(OSError):  # it is no directory, or gone by now
                    self._own(os.open(name, DIRECTORY_ITSELF, dir_fd=held))
        finally:
            self._own(held)

    def _own(self, held: int) -> None:
        """Gives an open directory to this user alone, and closes it."""
        try:
            os.fchmod(held, 0o700)
            os.fchown(held, self.uid, self.gid)
        finally:
            os.close(held)

    def may_read(self, path: Path) -> None:
        """Lets this user read what is ours, which it cannot change."""
        path.chmod(0o750 if path.is_dir() else 0o640)
        os.chown(path, -1, self.gid)


def empty_directory(path: Path) -> Path:
    """A new directory that only we can use, in place of an earlier one."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    return path


def find(program: str) -> str:
    """The full path of a program; raises GroundError when it is not installed."""
    found = shutil.which(program, path=DAEMON_PATH)
    if found is None:
        raise GroundError(f"{program} is not installed; `make serve` installs it where apt is")
    return found


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


ADVICE: dict[int | None, str] = {
    errno.EADDRINUSE: "; `ss -lntup` shows who has it: stop that, or choose another",
    errno.EADDRNOTAVAIL: "; it must be one of this machine's, which `ip address` shows",
    errno.EACCES: "; choose one from 1024 on, below are root's",
}


def bound(kind: socket.SocketKind, host: str, port: int, setting: str) -> socket.socket:
    """A socket on that address; raises GroundError naming the setting when it cannot be had.

    One for connections listens at once, since until then others can be bound there, too.
    """
    own = socket.socket(family(host), kind)
    if kind is socket.SOCK_STREAM:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((host, port))
        if kind is socket.SOCK_STREAM:
            own.listen()
    except OSError as error:
        own.close()
        name = "UDP" if kind is socket.SOCK_DGRAM else "TCP"
        place = f"{name} port {port} of {host}" if port else host
        told = f"{setting}: cannot use {place}: {error.strerror}{ADVICE.get(error.errno, '')}"
        raise GroundError(told) from None
    return own


def free_udp_port(host: str, avoid: PortRange) -> int:
    """A UDP port of a loopback address that nobody uses now, none of those to avoid."""
    for _ in range(MANY):
        with socket.socket(family(host), socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
        if port not in avoid:
            return port
    raise GroundError(f"media.ports: {avoid} leaves no port free for anything else")
