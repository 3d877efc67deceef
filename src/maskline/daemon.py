"""`maskline serve`: puts the house together and runs it until it is told to stop."""

import argparse
import asyncio
import logging
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
import uvicorn
import uvloop

from maskline import logs, settings
from maskline.engines.ground import GroundError, bound, claim, node_of, run_directory
from maskline.engines.keeper import Keeper, again
from maskline.engines.switchboard import Switchboard
from maskline.engines.voice import Voice
from maskline.guard import guarded
from maskline.operations import (
    Context,
    Credentials,
    Policy,
    bootstrap_account,
    complete_lost_calls,
    purge_audit_records,
    purge_calls,
    purge_phone_numbers,
    purge_sessions,
    settle_expired_sessions,
)
from maskline.operations.policy import policy_of
from maskline.settings import Settings, SettingsError
from maskline.store import Store, Transaction, open_store
from maskline.web.app import build

UPKEEP_SECONDS = 5.0
UPKEEP = (
    settle_expired_sessions,
    complete_lost_calls,
    purge_sessions,
    purge_calls,
    purge_phone_numbers,
    purge_audit_records,
)
KEEP_ALIVE_SECONDS = 65  # longer than SDKs keep an idle connection, so that they close first
CLOSE_SECONDS = 3

CREDENTIALS = """\
[default]
aws_access_key_id = {credentials.access_key_id}
aws_secret_access_key = {credentials.secret_access_key}
"""
WELCOME = """\
This is the first start: account {credentials.account_id} and its access key were made.
The key is in {path}. To use it with boto3, an AWS SDK, the AWS CLI or the maskline command:

  export AWS_SHARED_CREDENTIALS_FILE={path}
  export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION=us-east-1
  {program} chime list-voice-connectors
  aws chime-sdk-voice list-voice-connectors
  python -c 'import boto3; print(boto3.client("chime-sdk-voice").list_voice_connectors())'
"""

log = structlog.get_logger()


def main(arguments: list[str]) -> int:
    """Runs the service under guard; the exit status."""
    path = parser().parse_args(arguments).config
    return guarded(lambda: run(path))


def run(path: Path) -> int:
    """Runs the service in this process; the exit status."""
    try:
        chosen = read_settings(path)
        logs.configure(chosen.log.format, chosen.log.level)
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        os.umask(0o077)  # what the service keeps is nobody else's to read
        allow_many_files()
        uvloop.run(serve(chosen))
    except SettingsError as error:
        return refuse(path, error.faults)
    except (GroundError, OSError) as error:
        return refuse(path, [str(error)])
    return 0


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="maskline serve", description=__doc__)
    found.add_argument(
        "--config",
        type=Path,
        default=Path("maskline.toml"),
        metavar="FILE",
        help="the settings; written with its defaults when it does not exist (maskline.toml)",
    )
    return found


def read_settings(path: Path) -> Settings:
    if not path.exists():
        settings.write_default(path)
        print(f"There was no {path}; it has been written with the defaults.", flush=True)
    return settings.load(path)


def refuse(path: Path, faults: list[str]) -> int:
    for fault in faults:
        print(f"maskline: {path}: {fault}", file=sys.stderr)
    return 1


async def serve(chosen: Settings) -> None:
    """Runs the whole service until SIGTERM or SIGINT."""
    stop = stop_signal()
    claimed = claim(chosen.data_dir)
    node = node_of(chosen.data_dir)
    context = contexts(policy_of(chosen), node)
    with closing(open_data(chosen)) as store:
        run = run_directory(chosen.data_dir)
        switchboard = Switchboard(store, context)
        voice = Voice(chosen, run, switchboard.ask)
        door = bound(
            socket.SOCK_STREAM, chosen.api.listen.host, chosen.api.listen.port, "api.listen"
        )
        await welcome(store, chosen, context)
        keeper = Keeper(store, voice.line, voice.rtpengine, context, node)
        app = build(store, chosen, voice.health)
        async with (
            serving(app, door),
            voice.running(),
            at_work(keeper.keep(), upkeep(store, context), announce(voice, chosen)),
        ):
            await stop.wait()
            log.info("stopping")
            await keeper.farewell()
        await switchboard.drain()
    os.close(claimed)


def allow_many_files() -> None:
    """For us and our engines: a call takes two sockets, a client of the API one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def open_data(chosen: Settings) -> Store:
    """The store; raises GroundError when it cannot be used, whatever the reason."""
    assert chosen.store.url is not None
    try:
        return open_store(chosen.store.url.text, chosen.data_dir / "store.key")
    except Exception as error:
        raise GroundError(f"store.url: cannot use {chosen.store.url}: {error}") from error


def stop_signal() -> asyncio.Event:
    """Set when the service is told to stop."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


def contexts(policy: Policy, node: str) -> Callable[[Transaction], Context]:
    """Gives the context for work of the service's own, which belongs to no account.

    The ids it gives out, those of calls, begin with the node's.
    """
    return lambda tx: Context(
        tx=tx,
        account_id="",
        now=time.time_ns() // 1_000_000,
        new_id=lambda: node + str(uuid4())[len(node) :],
        settings=policy,
    )


async def welcome(
    store: Store, chosen: Settings, context: Callable[[Transaction], Context]
) -> None:
    """On the first start makes an account and its key, and says how to use it."""
    path = chosen.data_dir / "credentials"

    def make(tx: Transaction) -> Credentials | None:
        credentials = bootstrap_account(context(tx))
        if credentials is not None:  # before the commit: a key that nobody holds would be lost
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(CREDENTIALS.format(credentials=credentials))
        return credentials

    credentials = await store.write(make)
    if credentials is not None:
        url = f"http://{chosen.api.listen}"
        told = WELCOME.format(credentials=credentials, path=path, url=url, program=program())
        print(told, flush=True)


def program() -> str:
    """How our command is called from here: by its name where that is found."""
    beside = Path(sys.executable).with_name("maskline")
    return "maskline" if shutil.which("maskline") == str(beside) else str(beside)


class Server(uvicorn.Server):
    """An HTTP server that leaves signals to us and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: Any, door: socket.socket) -> AsyncIterator[None]:
    """Serves HTTP inside the block; requests under way at its end are answered."""
    server = Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[door]))
    try:
        await server.serving.wait()
        yield
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def at_work(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does all the works inside the block and cancels at its end those that are not done."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def upkeep(store: Store, context: Callable[[Transaction], Context]) -> None:
    """Does what time asks for, in pieces, until cancelled."""

    async def finish(work: Callable[[Context], int]) -> None:
        while await store.write(lambda tx: work(context(tx))):
            pass

    async def one_round() -> None:
        for work in UPKEEP:
            await finish(work)

    await again(one_round, UPKEEP_SECONDS)


async def announce(voice: Voice, chosen: Settings) -> None:
    await voice.up()
    sip = " ".join(str(listener) for listener in chosen.sip.listen)
    media = f"{chosen.media.address}:{chosen.media.ports}"
    print(f"maskline ready: api http://{chosen.api.listen} sip {sip} media {media}", flush=True)
