-- name: put_carrier_report
INSERT INTO carrier_reports (node, carrier, reported_at, report)
VALUES (:node, :carrier, :reported_at, :report)
ON CONFLICT (carrier, node) DO UPDATE SET
    reported_at = excluded.reported_at,
    report = excluded.report

-- name: list_carrier_reports
SELECT * FROM carrier_reports WHERE carrier = :carrier ORDER BY node

-- name: purge_carrier_reports
DELETE FROM carrier_reports WHERE reported_at < :reported_before

-- name: count_live_calls_over_carrier
SELECT count(*) AS calls FROM calls
WHERE outbound_carrier = :carrier AND ended_at IS NULL AND forwarded_at IS NOT NULL
