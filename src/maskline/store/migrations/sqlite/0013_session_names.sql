-- The customer's own id of the session: a call's record outlives its session.
ALTER TABLE calls ADD COLUMN proxy_session_name TEXT;
