-- name: put_node
INSERT INTO nodes (node, seen_at, draining, report)
VALUES (:node, :seen_at, :draining, :report)
ON CONFLICT (node) DO UPDATE SET
    seen_at = excluded.seen_at,
    draining = excluded.draining,
    report = excluded.report

-- name: list_nodes
SELECT * FROM nodes ORDER BY node

-- name: get_node
SELECT * FROM nodes WHERE node = :node

-- name: remove_node
DELETE FROM nodes WHERE node = :node

-- name: hang_up_calls_of_node
-- A dead node's calls, for anybody to hang up at once.
UPDATE calls SET hang_up_at = :due
WHERE ended_at IS NULL AND forwarded_at IS NOT NULL AND answered_at IS NOT NULL
    AND substr(call_id, 1, length(:node)) = :node AND (hang_up_at IS NULL OR hang_up_at > :due)

-- name: list_unanswered_calls_of_node
SELECT call_id FROM calls
WHERE ended_at IS NULL AND forwarded_at IS NOT NULL AND answered_at IS NULL
    AND substr(call_id, 1, length(:node)) = :node
