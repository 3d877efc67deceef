-- How many ids the carrier gave to a text it took: so many receipts tell all about it. It is not
-- the number of segments: one id may stand for several. Texts without it have an id for each.
ALTER TABLE messages ADD COLUMN outbound_ids INTEGER;
