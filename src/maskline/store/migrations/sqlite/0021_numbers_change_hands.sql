-- Since when the account has the number: what people did with it before is no concern of its.
ALTER TABLE phone_numbers ADD COLUMN account_since INTEGER NOT NULL DEFAULT 0;
