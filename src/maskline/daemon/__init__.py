"""`maskline serve`: puts the house together and runs it until it is told to stop."""

import argparse
import asyncio
import gc
import logging
import os
import resource
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path

import structlog
import uvloop

from maskline import logs, settings
from maskline.daemon.house import House, at_work, open_data
from maskline.daemon.roles import ALL, parts_of, read_roles
from maskline.daemon.upkeep import upkeep
from maskline.domain.health import State
from maskline.engines.ground import GroundError, claim
from maskline.guard import RENEW, STOPS, guarded
from maskline.settings import Settings, SettingsError
from maskline.store import StoreFailed

log = structlog.get_logger()

LEAVE_SECONDS = 10.0  # for which the database is waited for when it is down and we are to stop
LOOK_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    """Runs the service under guard; the exit status."""
    told = parser().parse_args(arguments)
    roles = [name for names in told.role for name in names] or [ALL]
    return guarded(lambda: run(told.config, roles))


def run(path: Path, roles: list[str]) -> int:
    """Runs the service in this process; the exit status."""
    try:
        chosen = read_settings(path)
        logs.configure(chosen.log.format, chosen.log.level)
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        os.umask(0o077)  # what the service keeps is nobody else's to read
        set_limits()
        uvloop.run(serve(chosen, roles))
    except SettingsError as error:
        return refuse(path, error.faults)
    except StoreFailed as error:  # a full disk, or one that is gone between two questions
        return refuse(path, [f"store.url: {error}"])
    except GroundError as error:
        return refuse(path, [str(error)])
    except OSError as error:
        return refuse(path, [told_of(error)])
    finally:
        logs.flush()
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
    found.add_argument(
        "--role",
        type=read_roles,
        action="append",
        default=[],
        metavar="ROLE",
        help="what this process does: api, sip, sms or all; several with commas between (all)",
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


def told_of(error: OSError) -> str:
    """What the system refused, a file in a directory of another user's, say."""
    if error.filename:
        return f"cannot use {error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


async def serve(chosen: Settings, roles: list[str]) -> None:
    """Runs the parts of those roles until a stop is asked for."""
    claimed = claim(chosen.data_dir)
    with closing(open_data(chosen)) as store:
        stop = stop_signal()  # a stop ends us at once before: to open may take as long as it likes
        house = House(chosen, store)
        await house.pulse.require_same_time()
        house.parts += parts_of(house, roles)
        async with at_work(house.pulse.watch(), leave(house, stop)), AsyncExitStack() as running:
            await running.enter_async_context(house.relay.running())
            for part in house.parts:
                await running.enter_async_context(part.running())
            asyncio.get_running_loop().add_signal_handler(RENEW, renew, house)
            gc.freeze()  # models and settings stay: nothing to collect there, again and again
            async with at_work(upkeep(house), announce(house)):
                await stop.wait()
                log.info("stopping")
    os.close(claimed)


async def announce(house: House) -> None:
    """Says that all is up, and where, as soon as it is."""
    for part in house.parts:
        await part.up()
    print("maskline ready:", *(part.place for part in house.parts), flush=True)


def renew(house: House) -> None:
    """Has all parts read their keys and certificates anew."""
    for part in house.parts:
        try:
            part.renew()
        except (GroundError, OSError) as error:
            log.error("not renewed", reason=str(error))


async def leave(house: House, stop: asyncio.Event) -> None:
    """Once told to stop, goes without a database that does not answer for a while: what stops here
    would wait for it as long as it is silent."""
    await stop.wait()
    down = 0.0
    while down < LEAVE_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        down = down + LOOK_SECONDS if house.pulse.state is State.DOWN else 0.0
    log.warning("stopping without the database, which does not answer")
    house.store.break_off()


def set_limits() -> None:
    """For us and our engines: a call takes two sockets, a client of the API one; and what was in
    the memory of whoever crashes, numbers and keys, is written down nowhere."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def stop_signal() -> asyncio.Event:
    """Set when the service is told to stop."""
    told = asyncio.Event()
    for number in STOPS:
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told
