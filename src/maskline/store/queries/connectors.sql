-- name: insert_voice_connector
INSERT INTO voice_connectors
    (voice_connector_id, account_id, region, name, require_encryption, integration_type,
     network_type, created_at, updated_at)
VALUES
    (:voice_connector_id, :account_id, :region, :name, :require_encryption, :integration_type,
     :network_type, :now, :now)

-- name: get_voice_connector
SELECT *
FROM voice_connectors
WHERE voice_connector_id = :voice_connector_id AND account_id = :account_id
    AND deleted_at IS NULL

-- name: get_connector_region
SELECT region
FROM voice_connectors
WHERE voice_connector_id = :voice_connector_id AND account_id = :account_id
    AND deleted_at IS NULL

-- name: get_connector_for_sessions
-- What opening a session goes by; without a proxy configuration its columns are NULL.
SELECT number_assignment, require_encryption, default_expiry_minutes, disabled, fallback_number,
    countries,
    (
        -- In the order of an index: PostgreSQL would read all of a large pool's numbers for one.
        SELECT 1 FROM phone_numbers WHERE pool = voice_connectors.voice_connector_id
        ORDER BY country, carrier, open_sessions, last_assigned_at, phone_number LIMIT 1
    ) IS NOT NULL AS own_numbers,
    number_rest_minutes, (
        SELECT max(each.number_rest_minutes) FROM voice_connectors AS each
        WHERE each.account_id = :account_id AND each.number_rest_minutes IS NOT NULL
    ) AS longest_rest
FROM voice_connectors
LEFT JOIN proxy_configurations
    ON proxy_configurations.voice_connector_id = voice_connectors.voice_connector_id
WHERE voice_connectors.voice_connector_id = :voice_connector_id AND account_id = :account_id
    AND deleted_at IS NULL

-- name: list_voice_connectors
SELECT *
FROM voice_connectors
WHERE account_id = :account_id AND sequence < :before AND deleted_at IS NULL
ORDER BY account_id DESC, sequence DESC
LIMIT :limit

-- name: count_voice_connectors
SELECT count(*) AS found FROM voice_connectors
WHERE account_id = :account_id AND deleted_at IS NULL

-- name: put_proxy_configuration
INSERT INTO proxy_configurations
    (voice_connector_id, default_expiry_minutes, disabled, fallback_number, countries)
VALUES (:voice_connector_id, :default_expiry_minutes, :disabled, :fallback_number, :countries)
ON CONFLICT (voice_connector_id) DO UPDATE SET
    default_expiry_minutes = excluded.default_expiry_minutes,
    disabled = excluded.disabled,
    fallback_number = excluded.fallback_number,
    countries = excluded.countries

-- name: get_proxy_configuration
SELECT * FROM proxy_configurations WHERE voice_connector_id = :voice_connector_id

-- name: delete_proxy_configuration
DELETE FROM proxy_configurations WHERE voice_connector_id = :voice_connector_id

-- name: get_connector_rules
SELECT number_assignment, unknown_caller, hang_up_on_delete, hang_up_on_expiry,
    max_ring_seconds, max_call_seconds, max_calls, max_calls_per_second, max_calls_per_caller,
    max_calls_per_caller_per_second, cps_limit, require_encryption,
    keep_text_days, closed_reply, stop_reply, start_reply,
    help_reply, keyword_languages, max_texts_per_minute, record_calls, number_rest_minutes
FROM voice_connectors
WHERE voice_connector_id = :voice_connector_id

-- name: update_voice_connector
UPDATE voice_connectors
SET name = :name, require_encryption = :require_encryption, updated_at = :now
WHERE voice_connector_id = :voice_connector_id

-- name: delete_voice_connector
UPDATE voice_connectors SET deleted_at = :now WHERE voice_connector_id = :voice_connector_id

-- name: purge_voice_connector
-- Removes a deleted connector that has no session any more, whose rules would be asked for.
DELETE FROM voice_connectors
WHERE voice_connector_id = :voice_connector_id AND deleted_at IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM proxy_sessions
        WHERE proxy_sessions.voice_connector_id = :voice_connector_id AND ended_at IS NULL
    ) AND NOT EXISTS (
        SELECT 1 FROM proxy_sessions
        WHERE proxy_sessions.voice_connector_id = :voice_connector_id AND ended_at IS NOT NULL
    )

-- name: uses_of_connector
-- What stands in the way of deleting a connector.
SELECT
    EXISTS (
        SELECT 1 FROM phone_numbers WHERE phone_numbers.voice_connector_id = :voice_connector_id
    ) AS phone_numbers,
    EXISTS (
        SELECT 1 FROM voice_connector_group_items AS items
        WHERE items.voice_connector_id = :voice_connector_id
    ) AS connector_groups,
    EXISTS (
        SELECT 1 FROM proxy_sessions
        WHERE proxy_sessions.voice_connector_id = :voice_connector_id
            AND ended_at IS NULL AND expires_at > :now
    ) AS proxy_sessions

-- name: put_connector_document
INSERT INTO connector_documents (voice_connector_id, kind, document)
VALUES (:voice_connector_id, :kind, :document)
ON CONFLICT (voice_connector_id, kind) DO UPDATE SET document = excluded.document

-- name: put_cps_limit
UPDATE voice_connectors SET cps_limit = :cps_limit WHERE voice_connector_id = :voice_connector_id

-- name: get_connector_document
SELECT document FROM connector_documents
WHERE voice_connector_id = :voice_connector_id AND kind = :kind

-- name: delete_connector_document
DELETE FROM connector_documents WHERE voice_connector_id = :voice_connector_id AND kind = :kind

-- name: delete_connector_documents
DELETE FROM connector_documents WHERE voice_connector_id = :voice_connector_id

-- name: put_termination_credential
INSERT INTO termination_credentials (voice_connector_id, username, sealed_password)
VALUES (:voice_connector_id, :username, :sealed_password)
ON CONFLICT (voice_connector_id, username) DO UPDATE SET
    sealed_password = excluded.sealed_password

-- name: list_termination_credentials
SELECT username FROM termination_credentials
WHERE voice_connector_id = :voice_connector_id
ORDER BY username

-- name: delete_termination_credential
DELETE FROM termination_credentials
WHERE voice_connector_id = :voice_connector_id AND username = :username

-- name: delete_termination_credentials
DELETE FROM termination_credentials WHERE voice_connector_id = :voice_connector_id

-- name: insert_voice_connector_group
INSERT INTO voice_connector_groups
    (voice_connector_group_id, account_id, name, call_distribution_type, created_at, updated_at)
VALUES (:group_id, :account_id, :name, :call_distribution_type, :now, :now)

-- name: get_voice_connector_group
SELECT * FROM voice_connector_groups
WHERE voice_connector_group_id = :group_id AND account_id = :account_id

-- name: list_voice_connector_groups
SELECT * FROM voice_connector_groups
WHERE account_id = :account_id AND sequence < :before
ORDER BY account_id DESC, sequence DESC
LIMIT :limit

-- name: count_voice_connector_groups
SELECT count(*) AS found FROM voice_connector_groups WHERE account_id = :account_id

-- name: update_voice_connector_group
UPDATE voice_connector_groups
SET name = :name, call_distribution_type = :call_distribution_type, updated_at = :now
WHERE voice_connector_group_id = :group_id

-- name: delete_voice_connector_group
DELETE FROM voice_connector_groups WHERE voice_connector_group_id = :group_id

-- name: list_group_items
SELECT voice_connector_id, priority FROM voice_connector_group_items
WHERE voice_connector_group_id = :group_id
ORDER BY place

-- name: insert_group_item
INSERT INTO voice_connector_group_items
    (voice_connector_group_id, place, voice_connector_id, priority)
VALUES (:group_id, :place, :voice_connector_id, :priority)

-- name: delete_group_items
DELETE FROM voice_connector_group_items WHERE voice_connector_group_id = :group_id

-- name: group_has_numbers
SELECT 1 FROM phone_numbers WHERE voice_connector_group_id = :group_id LIMIT 1

-- name: connector_region
SELECT region FROM voice_connectors
WHERE voice_connector_id = :resource_id AND account_id = :account_id AND deleted_at IS NULL

-- name: group_region
-- Groups span regions; their ARN bears the first one.
SELECT 'us-east-1' AS region FROM voice_connector_groups
WHERE voice_connector_group_id = :resource_id AND account_id = :account_id

-- name: put_connector_rules
UPDATE voice_connectors
SET number_assignment = :number_assignment, unknown_caller = :unknown_caller,
    hang_up_on_delete = :hang_up_on_delete, hang_up_on_expiry = :hang_up_on_expiry,
    max_ring_seconds = :max_ring_seconds, max_call_seconds = :max_call_seconds,
    max_calls = :max_calls, max_calls_per_second = :max_calls_per_second,
    max_calls_per_caller = :max_calls_per_caller,
    max_calls_per_caller_per_second = :max_calls_per_caller_per_second,
    keep_text_days = :keep_text_days, closed_reply = :closed_reply, stop_reply = :stop_reply,
    start_reply = :start_reply, help_reply = :help_reply, keyword_languages = :keyword_languages,
    max_texts_per_minute = :max_texts_per_minute,
    record_calls = :record_calls, number_rest_minutes = :number_rest_minutes
WHERE voice_connector_id = :voice_connector_id
