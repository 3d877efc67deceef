-- Limits on the calls of a connector; without a value those of the settings hold.
ALTER TABLE voice_connectors ADD COLUMN max_calls INTEGER;
ALTER TABLE voice_connectors ADD COLUMN max_calls_per_second INTEGER;
ALTER TABLE voice_connectors ADD COLUMN max_calls_per_caller INTEGER;
CREATE INDEX calls_live_of_connector ON calls (voice_connector_id, caller)
    WHERE ended_at IS NULL AND forwarded_at IS NOT NULL;
