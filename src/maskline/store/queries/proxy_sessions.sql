-- name: insert_proxy_session
INSERT INTO proxy_sessions
    (proxy_session_id, account_id, voice_connector_id, name, expiry_minutes, capabilities,
     first_number, first_proxy_number, second_number, second_proxy_number,
     number_selection_behavior, geo_match_level, geo_match_country, geo_match_area_code,
     created_at, updated_at, expires_at)
VALUES
    (:proxy_session_id, :account_id, :voice_connector_id, :name, :expiry_minutes, :capabilities,
     :first_number, :first_proxy_number, :second_number, :second_proxy_number,
     :number_selection_behavior, :geo_match_level, :geo_match_country, :geo_match_area_code,
     :created_at, :updated_at, :expires_at)

-- name: list_ended_sessions
-- Of those in `ids`, [[proxy_session_id], …], the ones whose end is noted; `expired` tells those that
-- were not ended before their time was over.
SELECT proxy_session_id, voice_connector_id, ended_at = expires_at AS expired
FROM json_each(:ids) AS each
JOIN proxy_sessions ON proxy_sessions.proxy_session_id = each.value ->> 0
WHERE ended_at IS NOT NULL

-- name: get_proxy_session_of_connector
SELECT proxy_sessions.*, EXISTS (
    SELECT 1 FROM calls
    WHERE calls.proxy_session_id = proxy_sessions.proxy_session_id
        AND calls.ended_at IS NULL AND calls.forwarded_at IS NOT NULL
) AS live_call
FROM proxy_sessions
WHERE proxy_session_id = :proxy_session_id
    AND voice_connector_id = :voice_connector_id AND account_id = :account_id
    AND EXISTS (
        SELECT 1 FROM voice_connectors
        WHERE voice_connectors.voice_connector_id = proxy_sessions.voice_connector_id
            AND deleted_at IS NULL
    )

-- name: update_proxy_session
-- Changes no row when the end of the session was noted meanwhile.
UPDATE proxy_sessions
SET capabilities = :capabilities, expiry_minutes = :expiry_minutes, expires_at = :expires_at,
    updated_at = :now
WHERE proxy_session_id = :proxy_session_id AND ended_at IS NULL

-- name: end_proxy_session
-- Changes no row when its end was noted before.
UPDATE proxy_sessions SET ended_at = :ended_at
WHERE proxy_session_id = :proxy_session_id AND ended_at IS NULL

-- name: end_expired_proxy_sessions
-- Of `ids`, [[proxy_session_id], …], those whose end was not noted before, nor their window moved.
UPDATE proxy_sessions SET ended_at = expires_at
WHERE proxy_session_id IN (SELECT each.value ->> 0 FROM json_each(:ids) AS each)
    AND ended_at IS NULL AND expires_at <= :now
RETURNING proxy_session_id

-- name: list_proxy_sessions
SELECT page.*, EXISTS (
    SELECT 1 FROM calls
    WHERE calls.proxy_session_id = page.proxy_session_id
        AND calls.ended_at IS NULL AND calls.forwarded_at IS NOT NULL
) AS live_call
FROM (
    SELECT * FROM (
        SELECT * FROM proxy_sessions
        WHERE voice_connector_id = :voice_connector_id AND sequence < :before
            AND ended_at IS NULL
        ORDER BY voice_connector_id DESC, sequence DESC
        LIMIT :limit
    ) AS running
    UNION ALL
    SELECT * FROM (
        SELECT * FROM proxy_sessions
        WHERE voice_connector_id = :voice_connector_id AND sequence < :before
            AND ended_at IS NOT NULL
        ORDER BY voice_connector_id DESC, sequence DESC
        LIMIT :limit
    ) AS ended
) AS page
ORDER BY sequence DESC
LIMIT :limit

-- name: list_closed_proxy_sessions
-- Those whose window is over, and whose end is not noted yet, are few: somebody does it all the time.
-- They are all accounts', so no more is kept of them than tells which are wanted.
WITH unnoted AS MATERIALIZED (
    SELECT sequence, voice_connector_id FROM proxy_sessions
    WHERE ended_at IS NULL AND expires_at <= :now
)
SELECT page.*, 0 AS live_call
FROM (
    SELECT * FROM (
        SELECT * FROM proxy_sessions
        WHERE sequence IN (
            SELECT sequence FROM unnoted
            WHERE voice_connector_id = :voice_connector_id AND sequence < :before
            ORDER BY sequence DESC
            LIMIT :limit
        )
    ) AS expired
    UNION ALL
    SELECT * FROM (
        SELECT * FROM proxy_sessions
        WHERE voice_connector_id = :voice_connector_id AND sequence < :before
            AND ended_at IS NOT NULL
        ORDER BY voice_connector_id DESC, sequence DESC
        LIMIT :limit
    ) AS ended
) AS page
ORDER BY sequence DESC
LIMIT :limit

-- name: list_open_proxy_sessions
SELECT proxy_sessions.*, 0 AS live_call
FROM proxy_sessions
WHERE voice_connector_id = :voice_connector_id AND sequence < :before
    AND ended_at IS NULL AND expires_at > :now
    AND NOT EXISTS (
        SELECT 1 FROM calls
        WHERE calls.proxy_session_id = proxy_sessions.proxy_session_id
            AND calls.ended_at IS NULL AND calls.forwarded_at IS NOT NULL
    )
ORDER BY voice_connector_id DESC, sequence DESC
LIMIT :limit

-- name: list_in_progress_proxy_sessions
-- Read from the connector's live calls, which are fewer than its sessions.
WITH in_call AS MATERIALIZED (
    SELECT DISTINCT calls.proxy_session_id FROM calls
    WHERE calls.voice_connector_id = :voice_connector_id
        AND calls.ended_at IS NULL AND calls.forwarded_at IS NOT NULL
)
SELECT proxy_sessions.*, 1 AS live_call
FROM in_call
CROSS JOIN proxy_sessions
WHERE proxy_sessions.proxy_session_id = in_call.proxy_session_id
    AND voice_connector_id = :voice_connector_id AND ended_at IS NULL AND expires_at > :now
    AND sequence < :before
ORDER BY sequence DESC
LIMIT :limit

-- name: list_purgeable_proxy_sessions
SELECT * FROM proxy_sessions WHERE ended_at <= :before ORDER BY ended_at LIMIT :limit

-- name: delete_proxy_sessions
-- `ids` is [[proxy_session_id], …].
DELETE FROM proxy_sessions
WHERE proxy_session_id IN (SELECT each.value ->> 0 FROM json_each(:ids) AS each)

-- name: list_expired_proxy_sessions
SELECT * FROM proxy_sessions
WHERE ended_at IS NULL AND expires_at <= :now
ORDER BY expires_at
LIMIT :limit

-- name: list_expired_sessions_of_numbers
-- As above, of some phone numbers, [[phone_number], …]. They are few: somebody notes their end all the
-- time.
SELECT * FROM proxy_sessions
WHERE ended_at IS NULL AND expires_at <= :now AND (
    first_proxy_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)
    OR second_proxy_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)
)
