-- Calls that ring are hung up, too.
DROP INDEX calls_to_hang_up;
CREATE INDEX calls_to_hang_up ON calls (hang_up_at)
    WHERE ended_at IS NULL AND hang_up_at IS NOT NULL;
