-- How long a number rests for a participant before a session with somebody else.
ALTER TABLE voice_connectors ADD COLUMN number_rest_minutes INTEGER;

-- The longest rest of an account's connectors.
CREATE INDEX voice_connectors_by_rest ON voice_connectors (account_id, number_rest_minutes)
    WHERE number_rest_minutes IS NOT NULL;
