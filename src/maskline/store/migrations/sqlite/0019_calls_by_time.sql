-- Calls are listed by the time they were received at, for which there is an index.
DROP INDEX calls_of_account;
