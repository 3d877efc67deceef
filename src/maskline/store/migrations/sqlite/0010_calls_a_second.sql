-- Calls a second of one caller, a rule; and what a connector's Termination says about all its calls.
ALTER TABLE voice_connectors ADD COLUMN max_calls_per_caller_per_second INTEGER;
ALTER TABLE voice_connectors ADD COLUMN cps_limit INTEGER;
