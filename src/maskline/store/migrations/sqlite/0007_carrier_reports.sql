-- What each node last said about each carrier's trunk.
CREATE TABLE carrier_reports (
    node TEXT NOT NULL,
    carrier TEXT NOT NULL,
    reported_at INTEGER NOT NULL,
    report TEXT NOT NULL,      -- JSON
    PRIMARY KEY (carrier, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX carrier_reports_by_age ON carrier_reports (reported_at);
-- Live calls over a carrier, counted where it takes only so many.
CREATE INDEX calls_live_over_carrier ON calls (outbound_carrier)
    WHERE ended_at IS NULL AND forwarded_at IS NOT NULL;
