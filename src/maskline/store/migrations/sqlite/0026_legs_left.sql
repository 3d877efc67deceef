-- Parties who could not be told that their call is over, until they are or it is given up.
CREATE TABLE legs_left (
    call_id TEXT NOT NULL,
    leg_name TEXT NOT NULL,        -- a hash: a leg may be longer than what an index takes
    leg TEXT NOT NULL,             -- JSON: what hanging up needs
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (call_id, leg_name)
) STRICT, WITHOUT ROWID;

CREATE INDEX legs_left_due ON legs_left (due_at);
