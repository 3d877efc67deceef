-- A number is free for a participant who has no claim to it that still holds. Two of them are asked
-- about, `mine` and `theirs`. Numbers that they used with `my_peer` and `their_peer` are passed over
-- (the empty text: none). Candidates are read in order of preference from an index, and a query
-- stops at the first that will do; nothing depends on how many sessions are open. What was used
-- before `account_since` was another account's number then, and counts as never used.
--
-- Carriers cannot all do what a session is for: candidates are the numbers of one that can, or of those
-- that `fit` names, each in quotation marks. A list to join with would cost more than all else that is
-- asked here.
--
-- A number rests for a participant whose last session on it was with another person than that of the
-- pair asked for, `first` and `second`. It rests as long as the connector of the last session says or
-- the one that asks, whichever is longer: so it does not if that session ended by `rested`, which the
-- latter says, and as long ago as the former says, `usual_rest` minutes if it has no rule of its own.
-- What ended by `all_rested` rests by nobody's rule, and nothing more has to be read to know it.

-- name: unused_number_of_country
-- The best of the numbers that neither of them ever used, among the first `window` of a carrier in the
-- country. The order is that of the candidates: sorting them again would read them all.
SELECT phone_number, open_sessions, last_assigned_at, 0 AS last_used_at
FROM (
    SELECT phone_number, open_sessions, last_assigned_at, account_since
    FROM phone_numbers
    WHERE pool = :pool AND country = :country AND carrier = :carrier
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
    WHERE pool = :pool AND country = :country AND area_code = :area_code AND carrier = :carrier
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
    AND instr(:fit, '"' || carrier || '"') > 0
    AND NOT EXISTS (
        SELECT 1 FROM pair_numbers
        WHERE participant = :mine AND peer = :my_peer AND proxy_number = phone_number
            AND used_at >= account_since
    ) AND NOT EXISTS (
        SELECT 1 FROM pair_numbers
        WHERE participant = :theirs AND peer = :their_peer AND proxy_number = phone_number
            AND used_at >= account_since
    ) AND (
        mine.held_until <= :all_rested OR NOT EXISTS (
            SELECT 1 FROM claims AS used
            JOIN proxy_sessions ON proxy_sessions.proxy_session_id = used.proxy_session_id
            JOIN voice_connectors
                ON voice_connectors.voice_connector_id = proxy_sessions.voice_connector_id
            WHERE used.participant IN (:mine, :theirs) AND used.proxy_number = phone_number
                AND used.held_until > :all_rested AND used.held_until >= account_since
                AND NOT (
                    :first IN (first_number, second_number)
                    AND :second IN (first_number, second_number)
                ) AND (
                    used.held_until > :rested
                    OR used.held_until > :now - 60000 * COALESCE(number_rest_minutes, :usual_rest)
                )
        )
    )
ORDER BY mine.held_until, open_sessions, last_assigned_at, phone_number
LIMIT 1

-- name: list_pair_numbers
-- The numbers that a participant used with a peer and that are in one of the pools, the latest first.
SELECT phone_number, country, carrier, used_at
FROM pair_numbers
JOIN phone_numbers ON phone_number = proxy_number
WHERE participant = :participant AND peer = :peer AND pool IN (:pool, :shared_pool)
    AND used_at >= account_since
ORDER BY used_at DESC, phone_number
LIMIT :window

-- name: is_taken
-- Whether a participant cannot have a number for a session of the pair: it is in use or rests.
SELECT 1 FROM claims
WHERE participant = :participant AND proxy_number = :proxy_number AND (
    held_until > :now OR (
        held_until > :all_rested AND EXISTS (
            SELECT 1 FROM proxy_sessions
            JOIN voice_connectors
                ON voice_connectors.voice_connector_id = proxy_sessions.voice_connector_id
            WHERE proxy_session_id = claims.proxy_session_id
                AND NOT (
                    :first IN (first_number, second_number)
                    AND :second IN (first_number, second_number)
                ) AND (
                    held_until > :rested
                    OR held_until > :now - 60000 * COALESCE(number_rest_minutes, :usual_rest)
                )
        )
    )
)

-- name: count_resting_numbers
-- The numbers of a country in the pools that rest for one of the pair.
SELECT count(DISTINCT phone_number) AS numbers
FROM claims
JOIN phone_numbers ON phone_number = proxy_number
JOIN proxy_sessions ON proxy_sessions.proxy_session_id = claims.proxy_session_id
JOIN voice_connectors ON voice_connectors.voice_connector_id = proxy_sessions.voice_connector_id
WHERE participant IN (:first, :second) AND held_until > :all_rested AND held_until <= :now
    AND held_until >= account_since
    AND NOT (:first IN (first_number, second_number) AND :second IN (first_number, second_number))
    AND (
        held_until > :rested
        OR held_until > :now - 60000 * COALESCE(number_rest_minutes, :usual_rest)
    )
    AND pool IN (:pool, :shared_pool) AND country = :country
    AND instr(:fit, '"' || carrier || '"') > 0

-- name: claim_numbers
-- Both claims of a new session. Changes no row where somebody else's claim still holds, or where the
-- number rests.
INSERT INTO claims (participant, proxy_number, proxy_session_id, held_until)
VALUES
    (:first_number, :first_proxy_number, :proxy_session_id, :expires_at),
    (:second_number, :second_proxy_number, :proxy_session_id, :expires_at)
ON CONFLICT (participant, proxy_number) DO UPDATE SET
    proxy_session_id = excluded.proxy_session_id,
    held_until = excluded.held_until
WHERE claims.held_until <= :now AND (
    claims.held_until <= :all_rested
    OR claims.held_until < (
        SELECT account_since FROM phone_numbers WHERE phone_number = claims.proxy_number
    )
    OR EXISTS (
        SELECT 1 FROM proxy_sessions
        JOIN voice_connectors
            ON voice_connectors.voice_connector_id = proxy_sessions.voice_connector_id
        WHERE proxy_session_id = claims.proxy_session_id AND ((
            :first_number IN (first_number, second_number)
            AND :second_number IN (first_number, second_number)
        ) OR (
            claims.held_until <= :rested
            AND claims.held_until <= :now - 60000 * COALESCE(number_rest_minutes, :usual_rest)
        ))
    )
)

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
-- How many numbers of a country are in a pool, by carrier.
SELECT carrier, count(*) AS numbers
FROM phone_numbers
WHERE pool = :pool AND country = :country
GROUP BY carrier
