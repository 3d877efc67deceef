-- To find the operator's account, whose numbers others can order.
CREATE INDEX accounts_of_operator ON accounts (account_id) WHERE operator = 1;
