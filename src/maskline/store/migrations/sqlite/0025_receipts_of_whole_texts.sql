-- Whether a receipt speaks for all segments of its text.
ALTER TABLE early_receipts ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
