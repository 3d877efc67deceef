-- What connectors kept that were deleted before it was deleted with them.
DELETE FROM connector_documents WHERE voice_connector_id IN (
    SELECT voice_connector_id FROM voice_connectors WHERE deleted_at IS NOT NULL
);
DELETE FROM termination_credentials WHERE voice_connector_id IN (
    SELECT voice_connector_id FROM voice_connectors WHERE deleted_at IS NOT NULL
);
