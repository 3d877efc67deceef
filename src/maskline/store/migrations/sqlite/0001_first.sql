-- Times are milliseconds since the epoch, truth values are 0 and 1.

CREATE TABLE accounts (
    account_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE access_keys (
    access_key_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts,
    sealed_secret BLOB NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    actions TEXT NOT NULL,     -- JSON: what it may do
    resources TEXT NOT NULL,   -- JSON: what it may do that to
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX access_keys_of_account ON access_keys (account_id);

CREATE TABLE voice_connectors (
    sequence INTEGER PRIMARY KEY,
    voice_connector_id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES accounts,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    require_encryption INTEGER NOT NULL CHECK (require_encryption IN (0, 1)),
    integration_type TEXT,
    network_type TEXT NOT NULL,
    -- Rules of its own; where there is none, those of the whole service hold.
    number_assignment TEXT,
    unknown_caller TEXT,
    hang_up_on_delete INTEGER CHECK (hang_up_on_delete IN (0, 1)),
    hang_up_on_expiry INTEGER CHECK (hang_up_on_expiry IN (0, 1)),
    max_ring_seconds INTEGER,
    max_call_seconds INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE INDEX voice_connectors_of_account ON voice_connectors (account_id)
    WHERE deleted_at IS NULL;

CREATE TABLE proxy_configurations (
    voice_connector_id TEXT PRIMARY KEY REFERENCES voice_connectors (voice_connector_id),
    default_expiry_minutes INTEGER NOT NULL,
    disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    fallback_number TEXT,
    countries TEXT NOT NULL    -- separated by commas, in the order given
) STRICT;

CREATE TABLE phone_numbers (
    phone_number TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts,
    carrier TEXT NOT NULL,
    shared INTEGER NOT NULL CHECK (shared IN (0, 1)),
    country TEXT NOT NULL,
    area_code TEXT NOT NULL,
    voice_connector_id TEXT REFERENCES voice_connectors (voice_connector_id),
    voice_connector_group_id TEXT,
    associated_at INTEGER,
    deleted_at INTEGER,        -- waits in the deletion queue since then
    open_sessions INTEGER NOT NULL DEFAULT 0,
    last_assigned_at INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- Whose sessions may take the number: a connector's, the whole account's, or nobody's.
    pool TEXT GENERATED ALWAYS AS (
        CASE
            WHEN deleted_at IS NOT NULL OR voice_connector_group_id IS NOT NULL THEN NULL
            WHEN voice_connector_id IS NOT NULL THEN voice_connector_id
            WHEN shared = 1 THEN account_id
        END
    ) STORED
) STRICT;

-- The order in which equally good numbers of a place are taken.
CREATE INDEX phone_numbers_of_country ON phone_numbers
    (pool, country, open_sessions, last_assigned_at, phone_number) WHERE pool IS NOT NULL;
CREATE INDEX phone_numbers_of_area ON phone_numbers
    (pool, country, area_code, open_sessions, last_assigned_at, phone_number)
    WHERE pool IS NOT NULL;
CREATE INDEX phone_numbers_of_account ON phone_numbers (account_id, phone_number);
CREATE INDEX phone_numbers_of_connector ON phone_numbers (voice_connector_id)
    WHERE voice_connector_id IS NOT NULL;

CREATE TABLE proxy_sessions (
    sequence INTEGER PRIMARY KEY,
    proxy_session_id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    voice_connector_id TEXT NOT NULL,
    name TEXT,
    expiry_minutes INTEGER NOT NULL,
    capabilities TEXT NOT NULL,
    first_number TEXT NOT NULL,
    first_proxy_number TEXT NOT NULL,
    second_number TEXT NOT NULL,
    second_proxy_number TEXT NOT NULL,
    number_selection_behavior TEXT,
    geo_match_level TEXT,
    geo_match_country TEXT,
    geo_match_area_code TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    CHECK (first_number <> second_number)
) STRICT;

-- Every session is in one of these two; a list reads both from their newest end.
CREATE INDEX proxy_sessions_running ON proxy_sessions (voice_connector_id)
    WHERE ended_at IS NULL;
CREATE INDEX proxy_sessions_ended ON proxy_sessions (voice_connector_id)
    WHERE ended_at IS NOT NULL;
CREATE INDEX proxy_sessions_by_expiry ON proxy_sessions (expires_at) WHERE ended_at IS NULL;
CREATE INDEX proxy_sessions_by_end ON proxy_sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Who uses which proxy number for which session, and until when. One row for a participant and a
-- number, ever: so two sessions can never hold the pair at once, and the row of an ended session
-- tells when the participant used the number last.
CREATE TABLE claims (
    participant TEXT NOT NULL,
    proxy_number TEXT NOT NULL,
    proxy_session_id TEXT NOT NULL,
    held_until INTEGER NOT NULL,
    PRIMARY KEY (participant, proxy_number)
) STRICT, WITHOUT ROWID;

CREATE INDEX claims_by_age ON claims (participant, held_until);

-- Which proxy numbers a participant has used with which other one.
CREATE TABLE pair_numbers (
    participant TEXT NOT NULL,
    peer TEXT NOT NULL,
    proxy_number TEXT NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (participant, peer, proxy_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
    sequence INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    account_id TEXT,
    voice_connector_id TEXT,
    proxy_session_id TEXT,
    carrier TEXT NOT NULL,
    caller TEXT,
    dialled TEXT NOT NULL,
    outbound_carrier TEXT,
    called TEXT,
    shown TEXT,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    forwarded_at INTEGER,
    ringing_at INTEGER,
    answered_at INTEGER,
    ended_at INTEGER,
    ended_by TEXT,
    sip_status INTEGER,
    cause INTEGER,
    legs TEXT NOT NULL,        -- JSON: what hanging up needs
    max_call_seconds INTEGER NOT NULL,
    hang_up_at INTEGER
) STRICT;

CREATE INDEX calls_of_account ON calls (account_id);
CREATE INDEX calls_of_session ON calls (proxy_session_id) WHERE proxy_session_id IS NOT NULL;
CREATE INDEX calls_live_of_session ON calls (proxy_session_id)
    WHERE ended_at IS NULL AND forwarded_at IS NOT NULL;
CREATE INDEX calls_to_hang_up ON calls (hang_up_at)
    WHERE ended_at IS NULL AND answered_at IS NOT NULL;
CREATE INDEX calls_live ON calls (forwarded_at)
    WHERE ended_at IS NULL AND forwarded_at IS NOT NULL;
CREATE INDEX calls_by_end ON calls (ended_at) WHERE ended_at IS NOT NULL;
