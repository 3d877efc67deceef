-- The processes that carry calls, while they live.
CREATE TABLE nodes (
    node TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    draining INTEGER NOT NULL DEFAULT 0,
    report TEXT NOT NULL,      -- JSON
    PRIMARY KEY (node)
) STRICT, WITHOUT ROWID;
