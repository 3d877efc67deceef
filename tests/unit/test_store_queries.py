"""The SQL itself: every query fits the schema, and none reads a whole table."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster

from maskline.store import connections, dialect, postgresql
from maskline.store.sqlite import connect, prepare
from maskline.store.statements import QUERIES, parse

# What is read whole: parts of a query, the few nodes, the oldest so many rows, and the arrays that
# some are given.
SMALL = re.compile(
    r"SCAN (\(|candidates|latest|oldest|nodes|of_|held|sides|in_call|unnoted|running|ended|expired"
    r"|page|(\d )?CONSTANT|(each|arrival|json_each) VIRTUAL)"
)
# And indexes of a few rows of a table: the operator's account, the texts that somebody must see to,
# the parts that wait for others.
FEW = re.compile(
    r"SCAN \w+ USING (COVERING )?INDEX"
    r" (accounts_of_operator|messages_due|message_parts_of_sender)$"
)
# At the start of a service, to see whether there is an account.
WHOLE = {"count_accounts"}


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    connection = connect(Path(":memory:"))
    prepare(connection)
    yield connection
    connection.close()


def plan(connection: sqlite3.Connection, name: str) -> list[str]:
    parameters = dict.fromkeys(re.findall(r":([a-z_]+)", QUERIES[name]), 1)
    found = connection.execute("EXPLAIN QUERY PLAN " + QUERIES[name], parameters)
    return [row["detail"] for row in found]


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_finds_its_rows_by_an_index(connection: sqlite3.Connection, name: str) -> None:
    scans = [
        step
        for step in plan(connection, name)
        if step.startswith("SCAN ") and not SMALL.match(step) and not FEW.match(step)
    ]
    assert bool(scans) == (name in WHOLE), scans


@pytest.mark.parametrize("of", ["calls", "messages"])
def test_what_a_session_has_is_found_by_the_session(
    connection: sqlite3.Connection, of: str
) -> None:
    assert any(
        f"INDEX {of}_of_session " in step for step in plan(connection, f"list_{of}_of_session")
    )


def test_an_index_read_from_end_to_end_is_a_whole_table_too(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT participant FROM claims GROUP BY participant"
    monkeypatch.setitem(QUERIES, "busiest", query)
    with pytest.raises(AssertionError, match="SCAN claims USING COVERING INDEX claims_by_age"):
        test_a_query_finds_its_rows_by_an_index(connection, "busiest")


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[connections.Connection]:
    with connections.connect(cluster.new_database()) as connection:
        postgresql.migrate(connection)
        yield connection


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_postgresql_understands_it_and_all_its_parameters(
    server: connections.Connection, name: str
) -> None:
    server.execute(f"PREPARE {name} AS {numbered(name)[0]}".encode())


def numbered(name: str) -> tuple[str, dict[str, int]]:
    """A query with its parameters by number, and their numbers."""
    parameters: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${parameters.setdefault(found[1], len(parameters) + 1)}"

    text = re.sub(r"%\((\w+)\)s", number, dialect.query(QUERIES[name]))
    return text.replace("%%", "%"), parameters


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("list_proxy_sessions", "proxy_sessions_running"),
        ("list_proxy_sessions", "proxy_sessions_ended"),
        ("list_open_proxy_sessions", "proxy_sessions_running"),
        ("list_closed_proxy_sessions", "proxy_sessions_ended"),
        ("list_calls", "calls_of_account_by_time"),
        ("list_calls_of_nobody", "calls_of_account_by_time"),
        ("list_messages", "messages_of_account"),
        ("list_audit_records", "audit_records_of_account"),
        ("list_opt_outs", "opt_outs_of_account"),
    ],
)
def test_postgresql_reads_a_page_from_its_newest_end(
    server: connections.Connection, name: str, index: str
) -> None:
    """And not all that the list has, to sort it."""
    text, parameters = numbered(name)
    nothing = ", ".join(["NULL"] * len(parameters))
    with server.transaction():
        server.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        server.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        server.execute(f"PREPARE page_of_{name} AS {text}".encode())
        found = server.execute(f"EXPLAIN EXECUTE page_of_{name}({nothing})".encode()).fetchall()
        server.execute(f"DEALLOCATE page_of_{name}".encode())
    steps = [row["QUERY PLAN"] for row in found]
    assert any(f"Index Scan Backward using {index} " in step for step in steps), steps


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("unused_number_of_country", "phone_numbers_of_country"),
        ("unused_number_of_area", "phone_numbers_of_area"),
        ("longest_unused_number", "claims_by_age"),
        ("count_resting_numbers", "claims_by_age"),
        ("get_connector_for_sessions", "voice_connectors_by_rest"),
        ("list_busiest_participants", "proxy_sessions_running"),
        ("list_busiest_participants", "proxy_sessions_by_end"),
        ("list_busiest_participants", "proxy_sessions_by_expiry"),
        ("list_proxy_sessions", "proxy_sessions_ended"),
        ("list_open_proxy_sessions", "proxy_sessions_running"),
        ("list_closed_proxy_sessions", "proxy_sessions_by_expiry"),
        ("list_closed_proxy_sessions", "proxy_sessions_ended"),
        ("list_closed_proxy_sessions", "INTEGER PRIMARY KEY"),  # whole rows of its page only
        ("list_in_progress_proxy_sessions", "calls_live_of_connector"),
        ("list_calls_to_hang_up", "calls_to_hang_up"),
        ("list_live_calls", "calls_live"),
        ("list_calls", "calls_of_account_by_time"),
        ("list_calls_of_nobody", "calls_of_account_by_time"),
        ("list_calls_of_session", "calls_of_session"),
        ("list_expired_proxy_sessions", "proxy_sessions_by_expiry"),
        ("list_expired_sessions_of_numbers", "proxy_sessions_by_expiry"),
        ("search_phone_numbers", "proxy_sessions_by_expiry"),
        ("list_purgeable_proxy_sessions", "proxy_sessions_by_end"),
        ("purge_segments", "message_segments_by_age"),
        ("due_messages", "messages_of_pair ((shown,recipient)>(?,?))"),
        ("set_aside", "messages_of_pair ((shown,recipient)>(?,?))"),
        ("rouse", "messages_of_pair ((shown,recipient)>(?,?))"),
        ("text_facts", "messages_of_pair (shown=? AND recipient=?)"),
    ],
)
def test_a_query_uses_the_index_made_for_it(
    connection: sqlite3.Connection, name: str, index: str
) -> None:
    assert any(f"{index} " in f"{step} " for step in plan(connection, name)), plan(connection, name)


@pytest.mark.parametrize("name", ["list_closed_proxy_sessions", "list_in_progress_proxy_sessions"])
def test_a_list_of_few_sessions_does_not_look_for_them_among_all_that_run(
    connection: sqlite3.Connection, name: str
) -> None:
    assert not [step for step in plan(connection, name) if "proxy_sessions_running" in step]


@pytest.mark.parametrize(
    "name",
    ["unused_number_of_country", "unused_number_of_area", "list_open_proxy_sessions"],
)
def test_candidates_come_sorted_from_the_index(connection: sqlite3.Connection, name: str) -> None:
    inner = [step for step in plan(connection, name) if "TEMP B-TREE" in step]
    # What is sorted beside the index is the window, never the pool.
    assert len(inner) <= 1, inner


@pytest.mark.parametrize("name", ["list_calls", "list_calls_of_nobody"])
def test_a_page_of_calls_is_read_in_its_order(connection: sqlite3.Connection, name: str) -> None:
    steps = plan(connection, name)
    assert not [step for step in steps if "TEMP B-TREE" in step]
    assert len([step for step in steps if "received_at>? AND received_at<?" in step]) == 1


def test_comments_are_not_part_of_a_query() -> None:
    assert parse("-- about\n\n-- name: a\n-- why\nSELECT 1\n\n-- name: b\nSELECT 2") == {
        "a": "SELECT 1",
        "b": "SELECT 2",
    }


@pytest.mark.parametrize("text", ["-- name: a\n", "-- name: a\nSELECT 1\n-- name: a\nSELECT 2"])
def test_faulty_query_files_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="query a"):
        parse(text)
