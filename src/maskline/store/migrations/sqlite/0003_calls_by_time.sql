CREATE INDEX calls_of_account_by_time ON calls (account_id, received_at);
