-- By which connection a part came: what its carrier surely has our answer to, it does not repeat.
ALTER TABLE message_parts ADD COLUMN connection TEXT;
