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
