"""Queries as PostgreSQL reads them, and the indexes that it finds what they ask by."""

import re

import psycopg
import pytest
from accounts import add

from maskline.store import Store, dialect, postgresql
from maskline.store.statements import QUERIES


def test_queries_in_the_words_of_psycopg() -> None:
    assert dialect.query("SELECT x::text, :a, 7 % 2") == "SELECT x::text, %(a)s, 7 %% 2"


def test_a_page_is_a_range_of_its_owner_s_index() -> None:
    """That of a list ordered by its owner, too, and no other."""
    ranges = {name for name, query in QUERIES.items() if dialect.PAGE.search(query)}
    assert ranges == {
        "list_audit_records", "list_closed_proxy_sessions", "list_open_proxy_sessions",
        "list_opt_outs", "list_phone_number_orders", "list_proxy_sessions",
        "list_voice_connector_groups", "list_voice_connectors",
    }  # fmt: skip
    orders = dialect.query(QUERIES["list_phone_number_orders"])
    assert orders.split("WHERE ")[1].split("ORDER")[0] == (
        "account_id >= %(account_id)s AND (account_id, sequence) < (%(account_id)s, %(before)s)\n"
    )


POOL = b"""
    INSERT INTO phone_numbers
        (phone_number, account_id, carrier, country, area_code, toll_free, shared, created_at,
         updated_at)
    SELECT '+1' || n, '1', 'acme', 'US', '913', 0, 1, 1, 1
    FROM generate_series(9130000000, 9130019999) AS n
"""


async def test_a_large_pool_is_not_read_to_find_out_whose_it_is(store: Store, url: str) -> None:
    """By a connector that has none of it, as PostgreSQL would: most numbers of a table are of few
    pools, so one is soon found, it thinks."""
    await store.write(add("1"))
    query = postgresql.STATEMENTS["get_connector_for_sessions"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(POOL)
        connection.execute("ANALYZE")
        asked = {"voice_connector_id": "other", "account_id": "1"}
        plan = connection.execute(b"EXPLAIN " + query, asked).fetchall()
    assert not [line for (line,) in plan if "Seq Scan on phone_numbers" in line], plan


@pytest.mark.parametrize("name", ["unused_number_of_country", "unused_number_of_area"])
async def test_the_first_numbers_of_a_carrier_are_read_in_the_order_of_the_index(
    store: Store, url: str, name: str
) -> None:
    """And none of another carrier's."""
    await store.write(add("1"))
    asked = {"pool": "1", "country": "US", "area_code": "913", "window": 256, "carrier": "acme"}
    asked |= {"mine": "+14015550101", "theirs": "+13035550102"}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(POOL)
        connection.execute("ANALYZE")
        found = connection.execute(b"EXPLAIN " + postgresql.STATEMENTS[name], asked).fetchall()
    plan = "\n".join(line for (line,) in found)
    assert "Index Scan using phone_numbers_of_" in plan, plan
    assert "(carrier = 'acme'::text))" in plan, plan
    assert "Sort" not in plan, plan


TEXTS = b"""
    INSERT INTO messages
        (message_id, kind, outbound_carrier, recipient, shown, segments, partial, media, state,
         attempts, due_at, keep_milliseconds, erase_at, expires_at, received_at)
    SELECT n, 'Relayed', 'acme', '+14015550101', '+19135550199', 1, 0, 0, 'Queued', 0,
        CASE WHEN n > 9000 THEN 1 END, 0, 9, 9, 1
    FROM generate_series(1, 10000) AS n
"""


@pytest.mark.parametrize("name", ["due_messages", "set_aside", "rouse"])
async def test_the_first_text_that_waits_for_a_reader_is_found_by_the_index_of_those(
    store: Store, url: str, name: str
) -> None:
    """And neither among all that were ever sent, nor by comparing all that wait with each other."""
    asked = {"carrier": "acme", "now": 5, "limit": 10, "until": 9, "ids": '[["1"]]'}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TEXTS)
        connection.execute("ANALYZE")
        query = postgresql.STATEMENTS[name]
        plan = [line for (line,) in connection.execute(b"EXPLAIN " + query, asked).fetchall()]
    place = next(n for n, line in enumerate(plan) if " on messages first " in line)
    assert "using messages_of_pair" in plan[place], plan
    assert "Index Cond: (ROW(shown, recipient)" in plan[place + 1], plan


ROWS = {
    "proxy_sessions": """
        INSERT INTO proxy_sessions
            (proxy_session_id, account_id, voice_connector_id, expiry_minutes, capabilities,
             first_number, first_proxy_number, second_number, second_proxy_number, created_at,
             updated_at, expires_at)
        SELECT gen_random_uuid(), '1', %(of)s, 720, 'Voice', '1', '2', '3', '2', n, n, 10000000
        FROM generate_series(1, %(rows)s) AS n
    """,
    "audit_records": """
        INSERT INTO audit_records (account_id, recorded_at, action, request_id, outcome)
        SELECT %(of)s, n, 'chime:CreateProxySession', n, 'Success'
        FROM generate_series(1, %(rows)s) AS n
    """,
    "calls": """
        INSERT INTO calls
            (call_id, account_id, carrier, dialled, decision, reason, received_at, legs,
             max_call_seconds)
        SELECT gen_random_uuid(), %(of)s, 'acme', '1', 'Connect', '', n, '{}', 60
        FROM generate_series(1, %(rows)s) AS n
    """,
}
FOREIGN_ROWS = re.compile(r"Rows Removed by Filter: (\d+)")


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("list_proxy_sessions", "proxy_sessions"),
        ("list_open_proxy_sessions", "proxy_sessions"),
        ("list_audit_records", "audit_records"),
        ("list_calls", "calls"),
    ],
)
async def test_a_page_of_old_rows_is_not_sought_among_all_that_came_later(
    store: Store, url: str, name: str, table: str
) -> None:
    await store.write(add("1"))
    asked = {"voice_connector_id": "b", "account_id": "b", "before": 2**62, "limit": 9, "now": 1}
    asked |= {"received_from": 0, "latest": 2**60}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # they refer to nothing
        for owner in "bbaca":
            connection.execute(ROWS[table].encode(), {"of": owner, "rows": 5000})
        connection.execute("ANALYZE")
        rows = connection.execute(postgresql.STATEMENTS[name], asked).fetchall()
        explain = b"EXPLAIN ANALYZE " + postgresql.STATEMENTS[name]
        plan = [line for (line,) in connection.execute(explain, asked).fetchall()]
    assert len(rows) == 9
    assert not [line for line in plan for read in FOREIGN_ROWS.findall(line) if int(read) > 9], plan
