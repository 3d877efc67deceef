-- name: get_phone_number
SELECT * FROM phone_numbers WHERE phone_number = :phone_number

-- name: get_phone_numbers
-- `numbers` is [[phone_number], …], here and wherever nothing else is said.
SELECT * FROM phone_numbers
WHERE phone_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)

-- name: find_phone_number
-- Whether one of two numbers is in the inventory of an account.
SELECT phone_number FROM phone_numbers
WHERE phone_number = :first AND account_id = :account_id
UNION ALL
SELECT phone_number FROM phone_numbers
WHERE phone_number = :second AND account_id = :account_id
LIMIT 1

-- name: put_phone_numbers
-- `numbers` is [[phone_number, country, area_code, toll_free], …], each number once.
INSERT INTO phone_numbers
    (phone_number, account_id, account_since, carrier, shared, country, area_code, toll_free,
     created_at, updated_at)
SELECT each.value ->> 0, :account_id, :now, :carrier, :shared, each.value ->> 1, each.value ->> 2,
    CAST(each.value ->> 3 AS BIGINT), :now, :now
FROM json_each(:numbers) AS each
WHERE TRUE
ON CONFLICT (phone_number) DO UPDATE SET
    carrier = excluded.carrier,
    shared = excluded.shared,
    deleted_at = NULL,
    updated_at = excluded.updated_at

-- name: add_open_session
UPDATE phone_numbers
SET open_sessions = open_sessions + 1, last_assigned_at = :now
WHERE phone_number = :phone_number

-- name: remove_open_sessions
UPDATE phone_numbers SET open_sessions = open_sessions - :sessions
WHERE phone_number = :phone_number

-- name: list_phone_numbers
SELECT * FROM phone_numbers
WHERE account_id = :account_id AND phone_number > :after
    AND :status IN ('', status) AND :product_type IN ('', product_type)
    AND (deleted_at IS NULL OR deleted_at > :released)
ORDER BY phone_number
LIMIT :limit

-- name: list_phone_numbers_of_connector
SELECT * FROM phone_numbers
WHERE voice_connector_id = :filter AND account_id = :account_id AND phone_number > :after
    AND :status IN ('', status) AND :product_type IN ('', product_type)
    AND (deleted_at IS NULL OR deleted_at > :released)
ORDER BY phone_number
LIMIT :limit

-- name: list_phone_numbers_of_group
SELECT * FROM phone_numbers
WHERE voice_connector_group_id = :filter AND account_id = :account_id AND phone_number > :after
    AND :status IN ('', status) AND :product_type IN ('', product_type)
    AND (deleted_at IS NULL OR deleted_at > :released)
ORDER BY phone_number
LIMIT :limit

-- name: search_phone_numbers
-- What an order can have, of the account's own and of the operator's stock; '' stands for any
-- country, area code and type. Sessions that expired a moment ago are counted still; of those there
-- are few: somebody notes their end all the time.
SELECT phone_number FROM (
    SELECT phone_number FROM phone_numbers
    WHERE account_id = :account_id AND orderable = 1 AND phone_number > :after
        AND phone_number < :end
        AND (open_sessions = 0 OR open_sessions = (
            SELECT count(*) FROM proxy_sessions
            WHERE ended_at IS NULL AND expires_at <= :now
                AND phone_number IN (first_proxy_number, second_proxy_number)
        ))
        AND :country IN ('', country) AND :area_code IN ('', area_code)
        AND toll_free = coalesce(:toll_free, toll_free)
    ORDER BY phone_number
    LIMIT :limit
) AS candidates
UNION
SELECT phone_number FROM (
    SELECT phone_number FROM phone_numbers
    WHERE account_id = :stock AND orderable = 1 AND phone_number > :after
        AND phone_number < :end
        AND (open_sessions = 0 OR open_sessions = (
            SELECT count(*) FROM proxy_sessions
            WHERE ended_at IS NULL AND expires_at <= :now
                AND phone_number IN (first_proxy_number, second_proxy_number)
        ))
        AND :country IN ('', country) AND :area_code IN ('', area_code)
        AND toll_free = coalesce(:toll_free, toll_free)
    ORDER BY phone_number
    LIMIT :limit
) AS candidates
ORDER BY phone_number
LIMIT :limit

-- name: list_countries
-- Of the numbers that an account has, and of those of the operator's that it can order.
SELECT country, max(toll_free) AS toll_free, min(toll_free) AS only_toll_free
FROM phone_numbers
WHERE deleted_at IS NULL
    AND (account_id = :account_id OR (account_id = :stock AND orderable = 1))
GROUP BY country
ORDER BY country

-- name: count_phone_numbers
-- Those that an account has by its orders.
SELECT count(*) AS found FROM phone_numbers
WHERE account_id = :account_id AND phone_number_order_id IS NOT NULL

-- name: associate_numbers
UPDATE phone_numbers
SET voice_connector_id = :voice_connector_id, voice_connector_group_id = :group_id,
    associated_at = :now, updated_at = :now
WHERE phone_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)

-- name: disassociate_numbers
UPDATE phone_numbers
SET voice_connector_id = NULL, voice_connector_group_id = NULL, associated_at = NULL,
    updated_at = :now
WHERE phone_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)

-- name: update_phone_numbers
-- `numbers` is [[phone_number, product_type, calling_name, name], …].
UPDATE phone_numbers
SET product_type = each.value ->> 1, calling_name = each.value ->> 2, name = each.value ->> 3,
    updated_at = :now
FROM json_each(:numbers) AS each
WHERE phone_numbers.phone_number = each.value ->> 0

-- name: set_deleted_at
UPDATE phone_numbers SET deleted_at = :deleted_at, updated_at = :now
WHERE phone_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)

-- name: list_released_phone_numbers
SELECT phone_number, account_id FROM phone_numbers WHERE deleted_at <= :released LIMIT :limit

-- name: remove_phone_numbers
DELETE FROM phone_numbers
WHERE phone_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)

-- name: take_phone_numbers_back
-- It can be ordered again, and nothing of the account that had it is left on it.
UPDATE phone_numbers
SET account_id = :account_id, account_since = :now, shared = 0, product_type = 'VoiceConnector',
    name = NULL, calling_name = NULL, phone_number_order_id = NULL, deleted_at = NULL,
    updated_at = :now
WHERE phone_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)

-- name: list_imported_phone_numbers
SELECT * FROM phone_numbers
WHERE account_id = :account_id AND phone_number > :after AND :carrier IN ('', carrier)
ORDER BY phone_number
LIMIT :limit

-- name: order_numbers
-- Nothing of another account that had it is left on it.
UPDATE phone_numbers
SET account_id = :account_id, phone_number_order_id = :order_id, name = :name, updated_at = :now,
    product_type = 'VoiceConnector',
    calling_name = CASE WHEN account_id = :account_id THEN calling_name END,
    account_since = CASE WHEN account_id = :account_id THEN account_since ELSE :now END
WHERE phone_number IN (SELECT each.value ->> 0 FROM json_each(:numbers) AS each)

-- name: insert_phone_number_order
INSERT INTO phone_number_orders
    (phone_number_order_id, account_id, product_type, numbers, created_at)
VALUES (:order_id, :account_id, :product_type, :numbers, :now)

-- name: get_phone_number_order
SELECT * FROM phone_number_orders
WHERE phone_number_order_id = :order_id AND account_id = :account_id

-- name: list_phone_number_orders
SELECT * FROM phone_number_orders
WHERE account_id = :account_id AND sequence < :before
ORDER BY account_id DESC, sequence DESC
LIMIT :limit

-- name: purge_phone_number_orders
-- The oldest come first, so those that are old enough are among them.
DELETE FROM phone_number_orders WHERE sequence IN (
    SELECT sequence FROM (
        SELECT sequence, created_at FROM phone_number_orders AS oldest
        ORDER BY sequence
        LIMIT :limit
    ) AS page
    WHERE created_at <= :before
)

-- name: list_pool_terms
-- How each connector that can open sessions chooses its numbers.
SELECT voice_connectors.voice_connector_id, number_assignment, number_rest_minutes, countries
FROM voice_connectors
JOIN proxy_configurations
    ON proxy_configurations.voice_connector_id = voice_connectors.voice_connector_id
WHERE account_id = :account_id AND deleted_at IS NULL
ORDER BY sequence DESC

-- name: get_longest_rest
-- Of the account's connectors, those that are deleted, too; NULL where none has a rule of its own.
SELECT max(number_rest_minutes) AS minutes FROM voice_connectors
WHERE account_id = :account_id AND number_rest_minutes IS NOT NULL

-- name: list_pool_places
-- The account's numbers by pool, country and area code; those in no pool, too. Carriers that
-- carry calls, and those that carry texts, are named in quotation marks.
SELECT pool, country, area_code, count(*) AS numbers,
    sum(CASE WHEN open_sessions > 0 THEN 1 ELSE 0 END) AS in_use,
    sum(open_sessions) AS open_sessions,
    count(CASE WHEN instr(:for_voice, '"' || carrier || '"') > 0 THEN 1 END) AS voice,
    count(CASE WHEN instr(:for_sms, '"' || carrier || '"') > 0 THEN 1 END) AS sms
FROM phone_numbers
WHERE account_id = :account_id AND deleted_at IS NULL
GROUP BY pool, country, area_code
ORDER BY pool, country, area_code

-- name: list_busiest_participants
-- Of each place, of each country (no area code) and of each pool (no country): who has most numbers, in
-- use or at rest. Reads the account's running sessions, all of them, and those that ended after
-- `all_rested`: what ended before rests by nobody's rule. Numbers of a connector rest as it says, those
-- that the account shares as long as any says that can take them, `longest_rest` minutes; or as long as
-- the connector of the last session says, if that is longer. What differs most is compared first: to
-- sort takes most of the time.
WITH ended AS (
    SELECT proxy_session_id, voice_connector_id, account_id,
        first_number, first_proxy_number, second_number, second_proxy_number
    FROM proxy_sessions
    WHERE ended_at IS NOT NULL AND ended_at > :all_rested
    UNION ALL
    SELECT proxy_session_id, voice_connector_id, account_id,
        first_number, first_proxy_number, second_number, second_proxy_number
    FROM proxy_sessions
    WHERE ended_at IS NULL AND expires_at > :all_rested AND expires_at <= :now
), held AS (
    SELECT
        CASE side WHEN 1 THEN first_number ELSE second_number END AS participant,
        CASE side WHEN 1 THEN first_proxy_number ELSE second_proxy_number END AS proxy_number,
        1 AS in_use
    FROM voice_connectors
    JOIN proxy_sessions
        ON proxy_sessions.voice_connector_id = voice_connectors.voice_connector_id
    CROSS JOIN (SELECT 1 AS side UNION ALL SELECT 2) AS sides
    WHERE voice_connectors.account_id = :account_id AND deleted_at IS NULL
        AND ended_at IS NULL AND expires_at > :now
    UNION ALL
    SELECT participant, proxy_number, 0
    FROM ended
    JOIN claims
        ON participant IN (first_number, second_number)
        AND proxy_number IN (first_proxy_number, second_proxy_number)
        AND claims.proxy_session_id = ended.proxy_session_id
    JOIN phone_numbers ON phone_number = proxy_number
    JOIN voice_connectors ON voice_connectors.voice_connector_id = ended.voice_connector_id
    LEFT JOIN voice_connectors AS owners ON owners.voice_connector_id = pool
    WHERE ended.account_id = :account_id AND held_until >= account_since AND (
        held_until > :now - 60000 * COALESCE(voice_connectors.number_rest_minutes, :usual_rest)
        OR held_until > :now - 60000 * CASE
            WHEN owners.voice_connector_id IS NULL THEN :longest_rest
            ELSE COALESCE(owners.number_rest_minutes, :usual_rest)
        END
    )
), of_places AS MATERIALIZED (
    SELECT pool, country, area_code, participant, count(*) AS numbers, sum(in_use) AS sessions
    FROM held
    JOIN phone_numbers ON phone_number = proxy_number
    WHERE pool IS NOT NULL
    GROUP BY participant, pool, country, area_code
), of_all AS (
    SELECT * FROM of_places
    UNION ALL
    SELECT pool, country, NULL, participant, sum(numbers), sum(sessions)
    FROM of_places
    GROUP BY participant, pool, country
    UNION ALL
    SELECT pool, NULL, NULL, participant, sum(numbers), sum(sessions)
    FROM of_places
    GROUP BY participant, pool
)
SELECT pool, country, area_code, participant, numbers, sessions, most_sessions
FROM (
    SELECT *, row_number() OVER (
        PARTITION BY area_code, country, pool ORDER BY numbers DESC, participant
    ) AS rank, max(sessions) OVER (PARTITION BY area_code, country, pool) AS most_sessions
    FROM of_all
) AS of_each
WHERE rank <= :shown
ORDER BY pool, country, area_code, rank
