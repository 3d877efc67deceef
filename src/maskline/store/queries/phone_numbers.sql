-- name: get_phone_number
SELECT * FROM phone_numbers WHERE phone_number = :phone_number

-- name: put_phone_number
INSERT INTO phone_numbers
    (phone_number, account_id, carrier, shared, country, area_code, toll_free,
     created_at, updated_at)
VALUES
    (:phone_number, :account_id, :carrier, :shared, :country, :area_code, :toll_free,
     :now, :now)
ON CONFLICT (phone_number) DO UPDATE SET
    carrier = excluded.carrier,
    shared = excluded.shared,
    deleted_at = NULL,
    updated_at = excluded.updated_at

-- name: add_open_session
UPDATE phone_numbers
SET open_sessions = open_sessions + 1, last_assigned_at = :now
WHERE phone_number = :phone_number

-- name: remove_open_session
UPDATE phone_numbers SET open_sessions = open_sessions - 1 WHERE phone_number = :phone_number
