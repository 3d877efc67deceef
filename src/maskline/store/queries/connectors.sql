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

-- name: list_voice_connectors
SELECT *
FROM voice_connectors
WHERE account_id = :account_id AND deleted_at IS NULL AND sequence < :before
ORDER BY sequence DESC
LIMIT :limit

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
    max_ring_seconds, max_call_seconds
FROM voice_connectors
WHERE voice_connector_id = :voice_connector_id
