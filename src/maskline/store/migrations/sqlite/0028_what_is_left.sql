-- No query looks by it any more.
DROP INDEX proxy_configurations_by_fallback;

-- Connectors that were deleted, and whose sessions are gone already: a later one goes with its last.
DELETE FROM proxy_configurations WHERE voice_connector_id IN (
    SELECT voice_connector_id FROM voice_connectors WHERE deleted_at IS NOT NULL
);
DELETE FROM voice_connectors WHERE deleted_at IS NOT NULL AND voice_connector_id NOT IN (
    SELECT voice_connector_id FROM proxy_sessions
);
