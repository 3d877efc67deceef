-- A number is free for a participant who has no claim to it that still holds. Parameters `first`
-- and `second` are whom it must be free for; numbers that they used with `first_peer` and
-- `second_peer` are passed over (the empty text: none). `window` bounds how many candidates are
-- looked at, in order, so that somebody with thousands of sessions costs no more than others.

-- name: unused_number_of_country
-- The number that neither of them ever used, best first.
SELECT phone_number, open_sessions, last_assigned_at, 0 AS last_used_at
FROM (
    SELECT phone_number, open_sessions, last_assigned_at
    FROM phone_numbers
    WHERE pool = :pool AND country = :country
    ORDER BY open_sessions, last_assigned_at, phone_number
    LIMIT :window
) AS candidates
WHERE NOT EXISTS (
    SELECT 1 FROM claims WHERE participant = :first AND proxy_number = phone_number
) AND NOT EXISTS (
    SELECT 1 FROM claims WHERE participant = :second AND proxy_number = phone_number
) AND NOT EXISTS (
    SELECT 1 FROM pair_numbers
    WHERE participant = :first AND peer = :first_peer AND proxy_number = phone_number
) AND NOT EXISTS (
    SELECT 1 FROM pair_numbers
    WHERE participant = :second AND peer = :second_peer AND proxy_number = phone_number
)
ORDER BY open_sessions, last_assigned_at, phone_number
LIMIT 1

-- name: unused_number_of_area
-- The same within an area code.
SELECT phone_number, open_sessions, last_assigned_at, 0 AS last_used_at
FROM (
    SELECT phone_number, open_sessions, last_assigned_at
    FROM phone_numbers
    WHERE pool = :pool AND country = :country AND area_code = :area_code
    ORDER BY open_sessions, last_assigned_at, phone_number
    LIMIT :window
) AS candidates
WHERE NOT EXISTS (
    SELECT 1 FROM claims WHERE participant = :first AND proxy_number = phone_number
) AND NOT EXISTS (
    SELECT 1 FROM claims WHERE participant = :second AND proxy_number = phone_number
) AND NOT EXISTS (
    SELECT 1 FROM pair_numbers
    WHERE participant = :first AND peer = :first_peer AND proxy_number = phone_number
) AND NOT EXISTS (
    SELECT 1 FROM pair_numbers
    WHERE participant = :second AND peer = :second_peer AND proxy_number = phone_number
)
ORDER BY open_sessions, last_assigned_at, phone_number
LIMIT 1

-- name: longest_unused_number
-- Of the numbers that at least one of them used, the one whose last session with either of them
-- ended first. An area code of '' stands for the whole country.
WITH candidates AS (
    SELECT * FROM (
        SELECT proxy_number
        FROM claims JOIN phone_numbers ON phone_number = proxy_number
        WHERE participant = :first AND held_until <= :now
            AND pool = :pool AND country = :country AND :area_code IN ('', area_code)
        ORDER BY held_until
        LIMIT :window
    ) AS of_first
    UNION
    SELECT * FROM (
        SELECT proxy_number
        FROM claims JOIN phone_numbers ON phone_number = proxy_number
        WHERE participant = :second AND held_until <= :now
            AND pool = :pool AND country = :country AND :area_code IN ('', area_code)
        ORDER BY held_until
        LIMIT :window
    ) AS of_second
)
SELECT
    phone_number, open_sessions, last_assigned_at,
    CASE
        WHEN one.held_until IS NULL OR other.held_until > one.held_until THEN other.held_until
        ELSE one.held_until
    END AS last_used_at
FROM candidates
JOIN phone_numbers ON phone_number = candidates.proxy_number
LEFT JOIN claims AS one
    ON one.participant = :first AND one.proxy_number = phone_number
LEFT JOIN claims AS other
    ON other.participant = :second AND other.proxy_number = phone_number
WHERE (one.held_until IS NULL OR one.held_until <= :now)
    AND (other.held_until IS NULL OR other.held_until <= :now)
    AND NOT EXISTS (
        SELECT 1 FROM pair_numbers
        WHERE participant = :first AND peer = :first_peer AND proxy_number = phone_number
    ) AND NOT EXISTS (
        SELECT 1 FROM pair_numbers
        WHERE participant = :second AND peer = :second_peer AND proxy_number = phone_number
    )
ORDER BY last_used_at, open_sessions, last_assigned_at, phone_number
LIMIT 1

-- name: sticky_number
-- The number that a participant used last with a peer, if it is still in one of the pools.
SELECT phone_number, country
FROM (
    SELECT proxy_number
    FROM pair_numbers
    WHERE participant = :participant AND peer = :peer
    ORDER BY used_at DESC
    LIMIT 1
) AS latest
JOIN phone_numbers ON phone_number = latest.proxy_number
WHERE pool IN (:pool, :shared_pool)

-- name: get_claim
SELECT proxy_session_id, held_until
FROM claims
WHERE participant = :participant AND proxy_number = :proxy_number

-- name: claim_number
-- Changes no row when somebody else's claim still holds.
INSERT INTO claims (participant, proxy_number, proxy_session_id, held_until)
VALUES (:participant, :proxy_number, :proxy_session_id, :held_until)
ON CONFLICT (participant, proxy_number) DO UPDATE SET
    proxy_session_id = excluded.proxy_session_id,
    held_until = excluded.held_until
WHERE claims.held_until <= :now

-- name: hold_claim_until
UPDATE claims SET held_until = :held_until
WHERE participant = :participant AND proxy_number = :proxy_number
    AND proxy_session_id = :proxy_session_id

-- name: forget_claim
-- Leaves the claim of a later session alone.
DELETE FROM claims
WHERE participant = :participant AND proxy_number = :proxy_number
    AND proxy_session_id = :proxy_session_id

-- name: has_open_claim
SELECT 1 FROM claims WHERE participant = :participant AND held_until > :now LIMIT 1

-- name: remember_pair_number
INSERT INTO pair_numbers (participant, peer, proxy_number, used_at)
VALUES (:participant, :peer, :proxy_number, :now)
ON CONFLICT (participant, peer, proxy_number) DO UPDATE SET used_at = excluded.used_at

-- name: forget_pair_number
-- Leaves what was remembered by a later session alone.
DELETE FROM pair_numbers
WHERE participant = :participant AND peer = :peer AND proxy_number = :proxy_number
    AND used_at <= :used_at

-- name: pool_size
SELECT count(*) AS numbers
FROM phone_numbers
WHERE pool IN (:pool, :shared_pool) AND country = :country
