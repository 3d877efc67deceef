-- name: put_call
-- No record that was read before somebody else had the call hung up puts that off.
INSERT INTO calls
    (call_id, account_id, voice_connector_id, proxy_session_id, proxy_session_name, carrier,
     caller, dialled,
     outbound_carrier, called, shown, decision, reason, received_at, forwarded_at, ringing_at,
     answered_at, ended_at, ended_by, sip_status, cause, legs, max_call_seconds, hang_up_at,
     recorded)
VALUES
    (:call_id, :account_id, :voice_connector_id, :proxy_session_id, :proxy_session_name, :carrier,
     :caller, :dialled,
     :outbound_carrier, :called, :shown, :decision, :reason, :received_at, :forwarded_at,
     :ringing_at, :answered_at, :ended_at, :ended_by, :sip_status, :cause, :legs,
     :max_call_seconds, :hang_up_at, :recorded)
ON CONFLICT (call_id) DO UPDATE SET
    outbound_carrier = excluded.outbound_carrier,
    ringing_at = excluded.ringing_at,
    answered_at = excluded.answered_at,
    ended_at = excluded.ended_at,
    ended_by = excluded.ended_by,
    sip_status = excluded.sip_status,
    cause = excluded.cause,
    legs = excluded.legs,
    hang_up_at = CASE
        WHEN calls.hang_up_at < excluded.hang_up_at THEN calls.hang_up_at
        ELSE coalesce(excluded.hang_up_at, calls.hang_up_at)
    END

-- name: get_call
SELECT * FROM calls WHERE call_id = :call_id

-- name: get_calls
-- `ids` is [[call_id], …].
SELECT calls.* FROM json_each(:ids) AS each
JOIN calls ON calls.call_id = each.value ->> 0

-- name: list_calls
-- In the order in which they were received; of a moment's, in that in which they were written.
SELECT * FROM calls
WHERE account_id = :account_id
    AND received_at >= :received_from AND received_at <= :latest
    AND (received_at < :latest OR sequence < :before)
ORDER BY received_at DESC, sequence DESC
LIMIT :limit

-- name: list_calls_of_nobody
-- Those to numbers that are in nobody's inventory. PostgreSQL does not see that their account is one.
SELECT * FROM calls
WHERE account_id IS NULL
    AND received_at >= :received_from AND received_at <= :latest
    AND (received_at < :latest OR sequence < :before)
ORDER BY account_id DESC, received_at DESC, sequence DESC
LIMIT :limit

-- name: list_calls_of_session
-- The account is no way to them: SQLite would read all its calls rather than sort the session's.
SELECT * FROM calls
WHERE proxy_session_id = :proxy_session_id AND account_id || '' = :account_id
    AND received_at >= :received_from AND received_at <= :latest
    AND (received_at < :latest OR sequence < :before)
ORDER BY received_at DESC, sequence DESC
LIMIT :limit

-- name: list_live_calls
-- Those whose ids begin with the node's, or all.
SELECT * FROM calls
WHERE ended_at IS NULL AND forwarded_at IS NOT NULL AND substr(call_id, 1, length(:node)) = :node

-- name: list_live_calls_of_session
SELECT call_id FROM calls
WHERE proxy_session_id = :proxy_session_id AND ended_at IS NULL AND forwarded_at IS NOT NULL

-- name: hang_up_calls_of_session
UPDATE calls SET hang_up_at = :now
WHERE proxy_session_id = :proxy_session_id AND ended_at IS NULL AND forwarded_at IS NOT NULL
    AND (hang_up_at IS NULL OR hang_up_at > :now)

-- name: list_live_calls_of_sessions
-- `ids` is [[proxy_session_id], …], here and in the next one.
SELECT call_id, proxy_session_id FROM calls
WHERE proxy_session_id IN (SELECT each.value ->> 0 FROM json_each(:ids) AS each)
    AND ended_at IS NULL AND forwarded_at IS NOT NULL

-- name: hang_up_calls_of_sessions
UPDATE calls SET hang_up_at = :now
WHERE proxy_session_id IN (SELECT each.value ->> 0 FROM json_each(:ids) AS each)
    AND ended_at IS NULL AND forwarded_at IS NOT NULL
    AND (hang_up_at IS NULL OR hang_up_at > :now)

-- name: list_calls_to_hang_up
-- The calls of another node come only when it has left them alone for long, and have been answered:
-- no other can cancel one that rings.
SELECT * FROM calls
WHERE ended_at IS NULL AND hang_up_at <= :now
    AND (substr(call_id, 1, length(:node)) = :node
        OR (answered_at IS NOT NULL AND hang_up_at <= :left_alone_since))
ORDER BY hang_up_at
LIMIT :limit

-- name: list_lost_calls
-- Calls that must be over: they rang, or lasted, longer than they may and then some.
SELECT * FROM calls
WHERE ended_at IS NULL AND forwarded_at IS NOT NULL AND (
    (answered_at IS NULL AND forwarded_at <= :lost_before)
    OR answered_at + max_call_seconds * 1000 <= :lost_before
)
LIMIT :limit

-- name: purge_calls
DELETE FROM calls WHERE sequence IN (
    SELECT sequence FROM calls WHERE ended_at <= :before ORDER BY ended_at LIMIT :limit
)

-- name: postpone_hang_up
-- Changes no row when somebody else has taken the call, or ended it.
UPDATE calls SET hang_up_at = :again_at
WHERE call_id = :call_id AND hang_up_at <= :now AND ended_at IS NULL

-- name: count_live_calls_of_connector
SELECT count(*) AS calls FROM calls
WHERE voice_connector_id = :voice_connector_id
    AND ended_at IS NULL AND forwarded_at IS NOT NULL

-- name: count_live_calls_of_caller
SELECT count(*) AS calls FROM calls
WHERE voice_connector_id = :voice_connector_id AND caller = :caller
    AND ended_at IS NULL AND forwarded_at IS NOT NULL

-- name: put_leg_left
INSERT INTO legs_left (call_id, leg_name, leg, since, until, due_at)
VALUES (:call_id, :leg_name, :leg, :since, :until, :due_at)
ON CONFLICT (call_id, leg_name) DO NOTHING

-- name: list_legs_left
-- Those that the call's own node has left alone for long come to all.
SELECT * FROM legs_left
WHERE due_at <= :now AND until > :now
    AND (substr(call_id, 1, length(:node)) = :node OR due_at <= :left_alone_since)
ORDER BY due_at
LIMIT :limit

-- name: postpone_leg_left
-- Changes no row when somebody else has taken it.
UPDATE legs_left SET due_at = :again_at
WHERE call_id = :call_id AND leg_name = :leg_name AND due_at <= :now

-- name: remove_old_legs_left
DELETE FROM legs_left WHERE due_at <= :now AND until <= :now

-- name: remove_leg_left
DELETE FROM legs_left WHERE call_id = :call_id AND leg_name = :leg_name
