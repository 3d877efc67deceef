-- name: list_calls_to_record
SELECT * FROM calls
WHERE recorded = 1 AND ended_at IS NULL AND answered_at IS NOT NULL
    AND substr(call_id, 1, length(:node)) = :node
    AND NOT EXISTS (SELECT 1 FROM recordings WHERE recordings.call_id = calls.call_id)
ORDER BY answered_at, call_id
LIMIT :limit

-- name: insert_recording
INSERT INTO recordings
    (call_id, caller_address, caller_port, called_address, called_port, begun_at)
VALUES (:call_id, :caller_address, :caller_port, :called_address, :called_port, :begun_at)
ON CONFLICT (call_id) DO NOTHING

-- name: get_ended_recording
SELECT recordings.* FROM recordings JOIN calls ON calls.call_id = recordings.call_id
WHERE recordings.call_id = :call_id AND calls.ended_at IS NOT NULL

-- name: get_recording
SELECT * FROM recordings WHERE call_id = :call_id

-- name: finish_recording
UPDATE recordings SET milliseconds = :milliseconds, finished_at = :finished_at
WHERE call_id = :call_id

-- name: purge_recordings
DELETE FROM recordings WHERE call_id IN (
    SELECT call_id FROM recordings WHERE begun_at <= :before ORDER BY begun_at LIMIT :limit
)
