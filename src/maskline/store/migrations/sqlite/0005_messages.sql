-- Texts. `due_at` is set as long as somebody must do something about a text, and says from when on
-- anybody may: so a claim is a `due_at` moved into the future, and ends by itself.
CREATE TABLE messages (
    sequence INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    account_id TEXT,
    voice_connector_id TEXT,
    proxy_session_id TEXT,
    kind TEXT NOT NULL,
    carrier TEXT,              -- that brought it
    repeat_key TEXT,           -- what makes a repetition known: the carrier's id, or a keyed hash
    connection TEXT,           -- where there is no id: the connection it came by
    source TEXT,
    dialled TEXT,
    outbound_carrier TEXT,
    recipient TEXT,
    shown TEXT,
    sealed_body TEXT,          -- what it says, until that is erased
    encoding TEXT,
    segments INTEGER NOT NULL,
    partial INTEGER NOT NULL CHECK (partial IN (0, 1)),
    media INTEGER NOT NULL,
    outbound_encoding TEXT,
    outbound_segments INTEGER,
    delivered_segments INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    reason TEXT,
    error TEXT,
    attempts INTEGER NOT NULL,
    holder TEXT,               -- the process that sends it
    due_at INTEGER,
    keep_milliseconds INTEGER NOT NULL,
    erase_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    sent_at INTEGER,           -- given to a link, the last time
    accepted_at INTEGER,
    ended_at INTEGER
) STRICT;

CREATE INDEX messages_of_account ON messages (account_id);
CREATE INDEX messages_of_session ON messages (proxy_session_id)
    WHERE proxy_session_id IS NOT NULL;
CREATE INDEX messages_repeated ON messages (carrier, repeat_key) WHERE repeat_key IS NOT NULL;
CREATE INDEX messages_due ON messages (outbound_carrier, due_at) WHERE due_at IS NOT NULL;
-- What one person sends another goes out in the order in which it came.
CREATE INDEX messages_of_pair ON messages (shown, recipient, sequence) WHERE due_at IS NOT NULL;
CREATE INDEX messages_by_age ON messages (received_at);
CREATE INDEX messages_to_erase ON messages (erase_at) WHERE sealed_body IS NOT NULL;
-- Dead letters, and what was refused: few, and looked for.
CREATE INDEX messages_astray ON messages (account_id, state)
    WHERE state IN ('Failed', 'Expired', 'Refused', 'InDoubt');

-- What the carrier named each segment that it took.
CREATE TABLE message_segments (
    sequence INTEGER PRIMARY KEY,
    carrier TEXT NOT NULL,
    sent_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    reported TEXT,
    sent_at INTEGER NOT NULL,
    UNIQUE (carrier, sent_id)
) STRICT;

-- Receipts that nobody knew what to do with: they came before the answer to the submit, or that
-- was lost.
CREATE TABLE early_receipts (
    carrier TEXT NOT NULL,
    sent_id TEXT NOT NULL,
    reported TEXT NOT NULL,
    error TEXT,
    source TEXT,
    destination TEXT,
    reference INTEGER,
    reported_at INTEGER NOT NULL,
    kept_at INTEGER NOT NULL,
    PRIMARY KEY (carrier, sent_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX early_receipts_of_pair ON early_receipts (source, destination)
    WHERE source IS NOT NULL;
CREATE INDEX early_receipts_by_age ON early_receipts (kept_at);

-- Submits whose answer is lost: an early receipt may be about one of them.
CREATE TABLE unanswered_submits (
    shown TEXT NOT NULL,
    recipient TEXT NOT NULL,
    message_id TEXT NOT NULL,
    doubted_at INTEGER NOT NULL,
    PRIMARY KEY (shown, recipient, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX unanswered_submits_by_age ON unanswered_submits (doubted_at);

-- Parts of long texts. Those of a joined text stay for a while, so that a repetition is known.
CREATE TABLE message_parts (
    carrier TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    reference INTEGER NOT NULL,
    total INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sealed_text TEXT,
    encoding TEXT NOT NULL,
    repeat_key TEXT NOT NULL,
    message_id TEXT,           -- of the text it went into
    received_at INTEGER NOT NULL,
    PRIMARY KEY (carrier, source, destination, reference, total, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_parts_waiting ON message_parts (received_at) WHERE message_id IS NULL;
CREATE INDEX message_parts_joined ON message_parts (received_at) WHERE message_id IS NOT NULL;

-- Who wants no more texts from which number.
CREATE TABLE opt_outs (
    sequence INTEGER PRIMARY KEY,
    participant TEXT NOT NULL,
    proxy_number TEXT NOT NULL,
    account_id TEXT NOT NULL,
    opted_out_at INTEGER NOT NULL,
    UNIQUE (participant, proxy_number)
) STRICT;

CREATE INDEX opt_outs_of_account ON opt_outs (account_id);

-- When we last told somebody something of our own accord.
CREATE TABLE text_replies (
    participant TEXT NOT NULL,
    proxy_number TEXT NOT NULL,
    replied_at INTEGER NOT NULL,
    PRIMARY KEY (participant, proxy_number)
) STRICT, WITHOUT ROWID;

CREATE INDEX text_replies_by_age ON text_replies (replied_at);

-- The connections that carriers' texts come by, and until when each was seen alive.
CREATE TABLE text_connections (
    connection TEXT PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX text_connections_by_age ON text_connections (seen_at);

-- What happened, for those who must hear of it: written with the change itself.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    happened_at INTEGER NOT NULL
) STRICT;

ALTER TABLE voice_connectors ADD COLUMN keep_text_days INTEGER;
ALTER TABLE voice_connectors ADD COLUMN closed_reply TEXT;
ALTER TABLE voice_connectors ADD COLUMN stop_reply TEXT;
ALTER TABLE voice_connectors ADD COLUMN start_reply TEXT;
ALTER TABLE voice_connectors ADD COLUMN help_reply TEXT;
ALTER TABLE voice_connectors ADD COLUMN keyword_languages TEXT;
ALTER TABLE voice_connectors ADD COLUMN max_texts_per_minute INTEGER;
