-- Pictures on their way. A row is found by the hash of its token and opened by the token itself,
-- which stands in the link that was sent and nowhere here.
CREATE TABLE pictures (
    token_hash BLOB PRIMARY KEY,
    content_type TEXT NOT NULL,
    sealed_content BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pictures_by_expiry ON pictures (expires_at);
