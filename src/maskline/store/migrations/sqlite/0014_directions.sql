-- Which of a session's participants a text came from.
ALTER TABLE messages ADD COLUMN direction TEXT;
