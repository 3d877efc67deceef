"""`maskline migrate`: what has to change in the database before this version can use it."""

import sys

from maskline.cli.commands import Command, Values
from maskline.cli.database import CONFIG, at, database_of
from maskline.cli.globals import Globals
from maskline.cli.options import Option


def run(values: Values, bare: list[str], globals_: Globals) -> int:
    """Show the steps that are to run, and run them where that is asked for; the exit code."""
    from maskline import store
    from maskline.store import migrations

    database = database_of(values)
    with at(database):
        done = store.steps_done(database.url.text)
        steps = migrations.pending(done)
        say(f"{database.url}: {len(done)} of {len(done) + len(steps)} steps of the schema have run")
        for step in steps:
            say(f"  to run: {step.number:04} {step.name.replace('_', ' ')}")
            if values.get("sql"):
                say(migrations.script_for(database.url.text, step))
        if steps and values.get("apply"):
            store.open_store(database.url.text, database.key_file).close()
            say("all have run; nothing is left to do")
        elif steps:
            say("nothing was changed; --apply runs them, and so does the next start of the service")
        else:
            say("nothing is to be done")
    return 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


COMMAND = Command(
    "migrate",
    "shows what has to change in the database, and changes it",
    (
        "Shows which steps of the database's schema this version has and the database has not run"
        " yet. Without --apply nothing is changed.",
        "The service runs them by itself when it starts. Do it before, with this command, to see"
        " what will happen, or to have it done while services of the version before go on: each"
        " step is a transaction of its own, and leaves room for them. A SQLite database must not be"
        " in use. A database that a later version has changed is refused.",
    ),
    (
        CONFIG,
        Option(
            "apply",
            "apply",
            takes="none",
            fixed=True,
            documentation="Runs the steps.",
            type_name="boolean",
        ),
        Option(
            "sql",
            "sql",
            takes="none",
            fixed=True,
            documentation="Shows the SQL of each step, as this database will get it.",
            type_name="boolean",
        ),
    ),
    run,
)
