-- Until when (received_at) the carrier surely has our answers to what came by a connection.
ALTER TABLE text_connections ADD COLUMN has_answers_until INTEGER NOT NULL DEFAULT 0;
