-- How many parts of a sender wait for others is looked at before a long text is begun.
CREATE INDEX message_parts_of_sender ON message_parts (carrier, source) WHERE message_id IS NULL;
