"""A PostgreSQL server for the tests of one process: started when it is first asked for."""

import itertools
import os
import pwd
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
from ports import free_port

# Debian keeps them out of PATH, a directory for each version.
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
START_SECONDS = 60
# What the tests store need not outlive them.
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
}


class Cluster:
    def __init__(self, durable: bool = False) -> None:
        self._settings = {} if durable else FORGETFUL
        self._folder = Path(tempfile.mkdtemp(prefix="maskline-pg-"))
        # PostgreSQL refuses to be root.
        self._user = pwd.getpwnam(
            "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())[0]
        )
        os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._numbers = itertools.count(1)
        self._port = free_port()
        self._initialise()
        self._server = self._start()
        self._await()

    @property
    def pid(self) -> int:
        return self._server.pid

    def url(self, database: str) -> str:
        return (
            f"postgresql://postgres@/{database}?host={quote(str(self._folder))}&port={self._port}"
        )

    def new_database(self, terms: str = "") -> str:
        """The URL of a database with nothing in it, made on these terms of CREATE DATABASE."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {terms}".encode())
        return self.url(name)

    def processes(self) -> list[int]:
        """The server's processes: the one that was started and its children."""
        server = self._server.pid
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [server, *map(int, children)]

    def stop(self) -> None:
        if hasattr(self, "_server") and self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            self._server.wait()
        # A gigabyte in small files takes seconds, at the end of all tests.
        os.spawnlp(os.P_NOWAIT, "rm", "rm", "-rf", str(self._folder))

    def _initialise(self) -> None:
        done = self._run(
            "initdb",
            *("--pgdata", str(self._folder / "data"), "--username", "postgres"),
            *("--auth", "trust", "--no-sync", "--locale", "C.UTF-8", "--encoding", "UTF8"),
        )
        output, _ = done.communicate()
        assert done.returncode == 0, output

    def _start(self) -> "subprocess.Popen[str]":
        settings = {
            **self._settings,
            "max_connections": "120",
            "unix_socket_directories": str(self._folder),
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self._folder / "log").open("w") as log:
            return self._run("postgres", "-D", str(self._folder / "data"), *options, output=log)

    def _run(
        self, program: str, *arguments: str, output: object = subprocess.PIPE
    ) -> "subprocess.Popen[str]":
        command = [str(PROGRAMS[0].with_name(program)), *arguments]
        if os.geteuid() == 0:
            ids = ("--reuid", str(self._user.pw_uid), "--regid", str(self._user.pw_gid))
            command = ["setpriv", *ids, "--clear-groups", "--pdeathsig", "INT", *command]
        return subprocess.Popen(
            command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=output,  # type: ignore[call-overload]
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _await(self) -> None:
        for _ in range(START_SECONDS * 20):
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                assert self._server.poll() is None, (self._folder / "log").read_text()
                time.sleep(0.05)
        raise TimeoutError((self._folder / "log").read_text())
