-- name: insert_picture
INSERT INTO pictures (token_hash, content_type, sealed_content, expires_at)
VALUES (:token_hash, :content_type, :sealed_content, :expires_at)

-- name: get_picture
SELECT content_type, sealed_content FROM pictures
WHERE token_hash = :token_hash AND expires_at > :now

-- name: purge_pictures
DELETE FROM pictures WHERE token_hash IN (
    SELECT token_hash FROM pictures WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit
)
