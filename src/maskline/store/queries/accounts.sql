-- name: look
-- Whether the database answers.
SELECT step FROM migrations WHERE step = 1

-- name: touch
-- Writes what is there, to see whether anything can be written.
UPDATE migrations SET name = name WHERE step = 1

-- name: count_accounts
SELECT count(*) AS accounts FROM accounts

-- name: insert_account
INSERT INTO accounts (account_id, name, operator, created_at)
VALUES (:account_id, :name, :operator, :now)

-- name: insert_access_key
INSERT INTO access_keys
    (access_key_id, account_id, sealed_secret, active, actions, resources, created_at)
VALUES (:access_key_id, :account_id, :sealed_secret, 1, :actions, :resources, :now)

-- name: get_access_key
SELECT access_key_id, account_id, sealed_secret, active, actions, resources, created_at
FROM access_keys
WHERE access_key_id = :access_key_id

-- name: get_account
SELECT * FROM accounts WHERE account_id = :account_id

-- name: get_operator_account
SELECT account_id FROM accounts WHERE operator = 1 ORDER BY account_id LIMIT 1

-- name: list_accounts
SELECT * FROM accounts WHERE account_id > :after ORDER BY account_id LIMIT :limit

-- name: set_calling_name
UPDATE accounts SET calling_name = :calling_name, calling_name_updated_at = :now
WHERE account_id = :account_id

-- name: set_cdr_bucket
UPDATE accounts SET cdr_bucket = :cdr_bucket WHERE account_id = :account_id

-- name: list_access_keys
SELECT access_key_id, account_id, active, actions, resources, created_at
FROM access_keys
WHERE account_id = :account_id AND access_key_id > :after
ORDER BY access_key_id
LIMIT :limit

-- name: count_access_keys
SELECT count(*) AS found FROM access_keys WHERE account_id = :account_id

-- name: update_access_key
UPDATE access_keys SET active = :active, actions = :actions, resources = :resources
WHERE access_key_id = :access_key_id

-- name: delete_access_key
DELETE FROM access_keys WHERE access_key_id = :access_key_id

-- name: insert_audit_record
INSERT INTO audit_records
    (account_id, access_key_id, recorded_at, action, resource, request_id, outcome)
VALUES (:account_id, :access_key_id, :now, :action, :resource, :request_id, :outcome)

-- name: list_audit_records
SELECT * FROM audit_records
WHERE account_id = :account_id AND sequence < :before
ORDER BY account_id DESC, sequence DESC
LIMIT :limit

-- name: purge_audit_records
DELETE FROM audit_records WHERE sequence IN (
    SELECT sequence FROM audit_records WHERE recorded_at <= :before ORDER BY recorded_at
    LIMIT :limit
)

-- name: put_tag
INSERT INTO tags (account_id, resource_arn, key, value)
VALUES (:account_id, :resource_arn, :key, :value)
ON CONFLICT (account_id, resource_arn, key) DO UPDATE SET value = excluded.value

-- name: list_tags
SELECT key, value FROM tags
WHERE account_id = :account_id AND resource_arn = :resource_arn
ORDER BY key

-- name: delete_tag
DELETE FROM tags
WHERE account_id = :account_id AND resource_arn = :resource_arn AND key = :key

-- name: delete_tags
DELETE FROM tags WHERE account_id = :account_id AND resource_arn = :resource_arn
