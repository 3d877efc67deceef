-- An id that a carrier gives again is the newest, in an old row: rows are not in the order of time.
CREATE INDEX message_segments_by_age ON message_segments (sent_at);
