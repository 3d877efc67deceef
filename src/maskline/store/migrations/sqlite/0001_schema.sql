-- Times are milliseconds since the epoch, truth values are 0 and 1.

CREATE TABLE accounts (
    account_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- Whether its keys may manage accounts and what carriers deliver.
    operator INTEGER NOT NULL CHECK (operator IN (0, 1)),
    calling_name TEXT,
    calling_name_updated_at INTEGER,
    cdr_bucket TEXT,
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

CREATE INDEX access_keys_of_account ON access_keys (account_id, access_key_id);

-- Who changed what. No phone numbers.
CREATE TABLE audit_records (
    sequence INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL,
    access_key_id TEXT,
    recorded_at INTEGER NOT NULL,
    action TEXT NOT NULL,
    resource TEXT,
    request_id TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;

CREATE INDEX audit_records_of_account ON audit_records (account_id);
CREATE INDEX audit_records_by_age ON audit_records (recorded_at);

CREATE TABLE tags (
    account_id TEXT NOT NULL,
    resource_arn TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account_id, resource_arn, key)
) STRICT, WITHOUT ROWID;

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

-- Configurations that are kept and given back as they are: JSON by the name of their kind.
CREATE TABLE connector_documents (
    voice_connector_id TEXT NOT NULL REFERENCES voice_connectors (voice_connector_id),
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (voice_connector_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE termination_credentials (
    voice_connector_id TEXT NOT NULL REFERENCES voice_connectors (voice_connector_id),
    username TEXT NOT NULL,
    sealed_password BLOB NOT NULL,
    PRIMARY KEY (voice_connector_id, username)
) STRICT, WITHOUT ROWID;

CREATE TABLE voice_connector_groups (
    sequence INTEGER PRIMARY KEY,
    voice_connector_group_id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES accounts,
    name TEXT NOT NULL,
    call_distribution_type TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX voice_connector_groups_of_account ON voice_connector_groups (account_id);

CREATE TABLE voice_connector_group_items (
    voice_connector_group_id TEXT NOT NULL
        REFERENCES voice_connector_groups (voice_connector_group_id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    voice_connector_id TEXT NOT NULL REFERENCES voice_connectors (voice_connector_id),
    priority INTEGER NOT NULL,
    PRIMARY KEY (voice_connector_group_id, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX groups_of_connector ON voice_connector_group_items (voice_connector_id);

CREATE TABLE phone_number_orders (
    sequence INTEGER PRIMARY KEY,
    phone_number_order_id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES accounts,
    product_type TEXT NOT NULL,
    numbers TEXT NOT NULL,     -- JSON: what became of each number
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX phone_number_orders_of_account ON phone_number_orders (account_id);

CREATE TABLE phone_numbers (
    phone_number TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts,
    carrier TEXT NOT NULL,
    shared INTEGER NOT NULL CHECK (shared IN (0, 1)),
    country TEXT NOT NULL,
    area_code TEXT NOT NULL,
    toll_free INTEGER NOT NULL CHECK (toll_free IN (0, 1)),
    product_type TEXT NOT NULL DEFAULT 'VoiceConnector',
    name TEXT,
    calling_name TEXT,
    phone_number_order_id TEXT,
    voice_connector_id TEXT REFERENCES voice_connectors (voice_connector_id),
    voice_connector_group_id TEXT
        REFERENCES voice_connector_groups (voice_connector_group_id),
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
            WHEN product_type <> 'VoiceConnector' THEN NULL
            WHEN voice_connector_id IS NOT NULL THEN voice_connector_id
            WHEN shared = 1 THEN account_id
        END
    ) STORED,
    status TEXT NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN deleted_at IS NOT NULL THEN 'ReleaseInProgress'
            WHEN coalesce(voice_connector_id, voice_connector_group_id) IS NULL THEN 'Unassigned'
            ELSE 'Assigned'
        END
    ) STORED,
    -- Imported, and neither shared nor in use nor ordered: what an order can have.
    orderable INTEGER NOT NULL GENERATED ALWAYS AS (
        shared = 0 AND phone_number_order_id IS NULL AND deleted_at IS NULL
            AND coalesce(voice_connector_id, voice_connector_group_id) IS NULL
    ) STORED
) STRICT;

-- The order in which equally good numbers of a place are taken.
CREATE INDEX phone_numbers_of_country ON phone_numbers
    (pool, country, open_sessions, last_assigned_at, phone_number) WHERE pool IS NOT NULL;
CREATE INDEX phone_numbers_of_area ON phone_numbers
    (pool, country, area_code, open_sessions, last_assigned_at, phone_number)
    WHERE pool IS NOT NULL;
CREATE INDEX phone_numbers_of_account ON phone_numbers (account_id, phone_number);
CREATE INDEX phone_numbers_of_connector ON phone_numbers (voice_connector_id, phone_number)
    WHERE voice_connector_id IS NOT NULL;
CREATE INDEX phone_numbers_of_group ON phone_numbers (voice_connector_group_id, phone_number)
    WHERE voice_connector_group_id IS NOT NULL;
CREATE INDEX phone_numbers_to_order ON phone_numbers (account_id, phone_number)
    WHERE orderable = 1;
CREATE INDEX phone_numbers_deleted ON phone_numbers (deleted_at) WHERE deleted_at IS NOT NULL;

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
