-- A number is free for a participant who has no claim to it that still holds. Two of them are asked
-- about, `mine` and `theirs`. Numbers that they used with `my_peer` and `their_peer` are passed over
-- (the empty text: none). Candidates are read in order of preference from an index, and a query
-- stops at the first that will do; nothing depends on how many sessions are open. What was used
-- before `account_since` was another account's number then, and counts as never used.

-- name: unused_number_of_country
-- The best of the numbers that neither of them ever used, among the first `window` of the country.
-- The order is that of the candidates: sorting them again would read them all.
SELECT phone_number, open_sessions, last_assigned_at, 0 AS last_used_at
FROM (
    SELECT phone_number, open_sessions, last_assigned_at, account_since
    FROM phone_numbers
    WHERE pool = :pool AND country = :country
    ORDER BY open_sessions, last_assigned_at, phone_number
    LIMIT :window
) AS candidates
WHERE NOT EXISTS (
    SELECT 1 FROM claims
    WHERE participant = :mine AND proxy_number = phone_number AND held_until >= account_since
) AND NOT EXISTS (
    SELECT 1 FROM claims
    WHERE participant = :theirs AND proxy_number = phone_number AND held_until >= account_since
)
LIMIT 1

-- name: unused_number_of_area
-- The same within an area code.
SELECT phone_number, open_sessions, last_assigned_at, 0 AS last_used_at
FROM (
    SELECT phone_number, open_sessions, last_assigned_at, account_since
    FROM phone_numbers
    WHERE pool = :pool AND country = :country AND area_code = :area_code
    ORDER BY open_sessions, last_assigned_at, phone_number
    LIMIT :window
) AS candidates
WHERE NOT EXISTS (
    SELECT 1 FROM claims
    WHERE participant = :mine AND proxy_number = phone_number AND held_until >= account_since
) AND NOT EXISTS (
    SELECT 1 FROM claims
    WHERE participant = :theirs AND proxy_number = phone_number AND held_until >= account_since
)
LIMIT 1

-- name: longest_unused_number
-- Of the numbers that `mine` used, and that `theirs` did not use later, the one used longest ago.
-- An area code of '' stands for the whole country.
SELECT phone_number, open_sessions, last_assigned_at, mine.held_until AS last_used_at
FROM claims AS mine
JOIN phone_numbers ON phone_number = mine.proxy_number
LEFT JOIN claims AS theirs
    ON theirs.participant = :theirs AND theirs.proxy_number = mine.proxy_number
WHERE mine.participant = :mine AND mine.held_until <= :now AND mine.held_until >= account_since
    AND (theirs.held_until IS NULL OR theirs.held_until <= mine.held_until)
    AND pool = :pool AND country = :country AND :area_code IN ('', area_code)
    AND NOT EXISTS (
        SELECT 1 FROM pair_numbers
        WHERE participant = :mine AND peer = :my_peer AND proxy_number = phone_number
            AND used_at >= account_since
    ) AND NOT EXISTS (
        SELECT 1 FROM pair_numbers
        WHERE participant = :theirs AND peer = :their_peer AND proxy_number = phone_number
            AND used_at >= account_since
    )
ORDER BY mine.held_until, open_sessions, last_assigned_at, phone_number
LIMIT 1

-- name: list_pair_numbers
-- The numbers that a participant used with a peer and that are in one of the pools, the latest first.
SELECT phone_number, country, used_at
FROM pair_numbers
JOIN phone_numbers ON phone_number = proxy_number
WHERE participant = :participant AND peer = :peer AND pool IN (:pool, :shared_pool)
    AND used_at >= account_since
ORDER BY used_at DESC, phone_number
LIMIT :window

-- name: get_claim
SELECT proxy_session_id, held_until
FROM claims
WHERE participant = :participant AND proxy_number = :proxy_number

-- name: claim_numbers
-- Both claims of a new session. Changes no row where somebody else's claim still holds.
INSERT INTO claims (participant, proxy_number, proxy_session_id, held_until)
VALUES
    (:first_number, :first_proxy_number, :proxy_session_id, :expires_at),
    (:second_number, :second_proxy_number, :proxy_session_id, :expires_at)
ON CONFLICT (participant, proxy_number) DO UPDATE SET
    proxy_session_id = excluded.proxy_session_id,
    held_until = excluded.held_until
WHERE claims.held_until <= :created_at

-- name: hold_claim_until
UPDATE claims SET held_until = :held_until
WHERE participant = :participant AND proxy_number = :proxy_number
    AND proxy_session_id = :proxy_session_id

-- name: forget_claim
-- Leaves the claim of a later session alone.
DELETE FROM claims
WHERE participant = :participant AND proxy_number = :proxy_number
    AND proxy_session_id = :proxy_session_id

-- name: remember_pair_numbers
INSERT INTO pair_numbers (participant, peer, proxy_number, used_at)
VALUES
    (:first_number, :second_number, :first_proxy_number, :created_at),
    (:second_number, :first_number, :second_proxy_number, :created_at)
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
