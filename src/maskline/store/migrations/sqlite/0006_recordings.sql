ALTER TABLE voice_connectors ADD COLUMN record_calls INTEGER CHECK (record_calls IN (0, 1));

ALTER TABLE calls ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0 CHECK (recorded IN (0, 1));

CREATE INDEX calls_to_record ON calls (answered_at)
    WHERE recorded = 1 AND ended_at IS NULL AND answered_at IS NOT NULL;

-- What rtpengine writes of a call, and what became of it. No sound is kept here.
CREATE TABLE recordings (
    call_id TEXT PRIMARY KEY,
    caller_port INTEGER NOT NULL,
    called_port INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    finished_at INTEGER,
    milliseconds INTEGER       -- of sound; none when it was lost
) STRICT, WITHOUT ROWID;

CREATE INDEX recordings_by_age ON recordings (begun_at);
