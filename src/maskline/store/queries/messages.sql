-- Texts. Most of these do the work for many at once: a parameter such as `texts` is a JSON array
-- with an array for each of them.

-- name: text_facts
-- What the decision about each text rests on; `texts` is [[place, source, dialled, began_at], …]. A
-- session that is younger than the first part of a long text is none for it. `crowded` tells that more
-- than `most` texts wait to be sent to its reader from the same number.
SELECT
    CAST(arrival.value ->> 0 AS BIGINT) AS place,
    proxy_sessions.*,
    dialled.account_id AS number_account_id,
    dialled.carrier AS number_carrier,
    dialled.voice_connector_id AS number_connector_id,
    shown.carrier AS shown_carrier,
    own.phone_number IS NOT NULL AS from_proxy_number,
    own.account_id = dialled.account_id AS from_own_number,
    stopped.participant IS NOT NULL AS stopped,
    unwanted.participant IS NOT NULL AS unwanted,
    EXISTS (
        SELECT 1 FROM messages
        WHERE messages.shown = shown.phone_number AND messages.due_at IS NOT NULL
            AND messages.recipient = CASE
                WHEN proxy_sessions.first_number = arrival.value ->> 1
                THEN proxy_sessions.second_number ELSE proxy_sessions.first_number
            END
        LIMIT 1 OFFSET :most
    ) AS crowded
FROM json_each(:texts) AS arrival
LEFT JOIN phone_numbers AS dialled
    ON dialled.phone_number = arrival.value ->> 2 AND dialled.deleted_at IS NULL
LEFT JOIN phone_numbers AS own ON own.phone_number = arrival.value ->> 1
LEFT JOIN claims
    ON claims.participant = arrival.value ->> 1 AND claims.proxy_number = arrival.value ->> 2
LEFT JOIN proxy_sessions
    ON proxy_sessions.proxy_session_id = claims.proxy_session_id
    AND proxy_sessions.account_id = dialled.account_id
    AND (
        arrival.value ->> 3 IS NULL
        OR proxy_sessions.created_at <= CAST(arrival.value ->> 3 AS BIGINT)
    )
LEFT JOIN phone_numbers AS shown
    ON shown.phone_number = CASE
        WHEN proxy_sessions.first_number = arrival.value ->> 1
        THEN proxy_sessions.second_proxy_number ELSE proxy_sessions.first_proxy_number
    END AND shown.deleted_at IS NULL
LEFT JOIN opt_outs AS stopped
    ON stopped.participant = arrival.value ->> 1 AND stopped.proxy_number = arrival.value ->> 2
LEFT JOIN opt_outs AS unwanted
    ON unwanted.participant = CASE
        WHEN proxy_sessions.first_number = arrival.value ->> 1
        THEN proxy_sessions.second_number ELSE proxy_sessions.first_number
    END AND unwanted.proxy_number = shown.phone_number

-- name: repeated_texts
-- Texts that came before with the same key, the oldest first; `keys` is
-- [[place, carrier, repeat_key, since], …].
SELECT CAST(each.value ->> 0 AS BIGINT) AS place, messages.message_id, messages.connection,
    messages.received_at, messages.account_id, messages.state, messages.reason,
    messages.outbound_carrier
FROM json_each(:keys) AS each
JOIN messages
    ON messages.carrier = each.value ->> 1 AND messages.repeat_key = each.value ->> 2
WHERE messages.received_at > CAST(each.value ->> 3 AS BIGINT)
ORDER BY messages.sequence

-- name: insert_repetition
-- The record of a text that was taken for a repetition of another.
INSERT INTO messages
    (message_id, account_id, voice_connector_id, proxy_session_id, kind, direction, carrier,
     connection, source, dialled, encoding, segments, partial, media, state, reason, attempts,
     keep_milliseconds, erase_at, expires_at, received_at, ended_at)
SELECT :message_id, account_id, voice_connector_id, proxy_session_id, kind, direction, carrier,
    :connection, source, dialled, encoding, segments, partial, media, 'Refused', 'repeated', 0,
    0, :now, :now, :received_at, :now
FROM messages WHERE message_id = :first

-- name: pending_pairs
-- Which of the pairs have a text that is still to be sent; `pairs` is [[shown, recipient], …].
SELECT each.value ->> 0 AS shown, each.value ->> 1 AS recipient
FROM json_each(:pairs) AS each
WHERE EXISTS (
    SELECT 1 FROM messages
    WHERE messages.shown = each.value ->> 0 AND messages.recipient = each.value ->> 1
        AND messages.due_at IS NOT NULL
)

-- name: insert_messages
INSERT INTO messages
    (message_id, account_id, voice_connector_id, proxy_session_id, kind, direction, carrier,
     repeat_key, connection, source, dialled, outbound_carrier, recipient, shown, sealed_body, encoding,
     segments, partial, media, state, reason, attempts, holder, due_at, keep_milliseconds,
     erase_at, expires_at, received_at, sent_at, ended_at)
VALUES
    (:message_id, :account_id, :voice_connector_id, :proxy_session_id, :kind, :direction,
     :carrier, :repeat_key, :connection, :source, :dialled, :outbound_carrier, :recipient, :shown,
     :sealed_body, :encoding, :segments, :partial, :media, :state, :reason, :attempts, :holder,
     :due_at, :keep_milliseconds, :erase_at, :expires_at, :received_at, :sent_at, :ended_at)

-- name: insert_event
INSERT INTO events (account_id, name, subject, happened_at)
VALUES (:account_id, :name, :subject, :happened_at)

-- name: due_messages
-- What may be sent to a carrier now, those that wait longest first. `blocked` tells that an earlier
-- text of its pair is unfinished, `unwanted` that its reader has said STOP since, `capabilities` what
-- its session allows: nothing, if that is over or the number means somebody else to its reader by now.
-- `session_ends_at` is when that will be. The first unfinished text of a pair, which each that is due
-- has, is looked for in such words that PostgreSQL can but use the index of pairs: by equalities it
-- joins all with all, or reads all that were ever finished.
SELECT ready.message_id, ready.account_id, ready.keep_milliseconds, ready.shown, ready.recipient,
    ready.sealed_body, ready.expires_at,
    ready.sequence > (
        SELECT first.sequence FROM messages AS first
        WHERE first.due_at IS NOT NULL
            AND (first.shown, first.recipient) >= (ready.shown, ready.recipient || '')
        ORDER BY first.shown, first.recipient, first.sequence LIMIT 1
    ) AS blocked,
    ready.kind = 'Relayed' AND EXISTS (
        SELECT 1 FROM opt_outs
        WHERE opt_outs.participant = ready.recipient AND opt_outs.proxy_number = ready.shown
    ) AS unwanted,
    CASE WHEN ready.kind = 'Relayed' THEN coalesce((
        SELECT proxy_sessions.capabilities FROM claims
        JOIN proxy_sessions ON proxy_sessions.proxy_session_id = claims.proxy_session_id
        WHERE claims.participant = ready.recipient AND claims.proxy_number = ready.shown
            AND claims.proxy_session_id = ready.proxy_session_id
            AND proxy_sessions.ended_at IS NULL AND proxy_sessions.expires_at > :now
    ), '') ELSE 'SMS' END AS capabilities,
    CASE WHEN ready.kind = 'Relayed' THEN (
        SELECT proxy_sessions.expires_at FROM proxy_sessions
        WHERE proxy_sessions.proxy_session_id = ready.proxy_session_id
    ) END AS session_ends_at
FROM messages AS ready
WHERE ready.outbound_carrier = :carrier AND ready.due_at <= :now AND ready.state <> 'Sending'
    AND ready.expires_at > :now
ORDER BY ready.due_at, ready.sequence
LIMIT :limit

-- name: set_aside
-- Of the texts that are due, those that wait for an earlier one of their pair are looked at no more
-- until `until`, or until that one is finished (`rouse`): else a pair with many would take all time.
UPDATE messages SET due_at = :until, holder = 'aside'
WHERE sequence IN (
    SELECT oldest.sequence FROM (
        SELECT sequence, shown, recipient FROM messages
        WHERE outbound_carrier = :carrier AND due_at <= :now AND state <> 'Sending'
        ORDER BY due_at, sequence
        LIMIT :limit
    ) AS oldest
    WHERE oldest.sequence > (
        SELECT first.sequence FROM messages AS first
        WHERE first.due_at IS NOT NULL
            AND (first.shown, first.recipient) >= (oldest.shown, oldest.recipient || '')
        ORDER BY first.shown, first.recipient, first.sequence LIMIT 1
    )
)

-- name: rouse
-- The next of the pairs of which a text is finished; `ids` is [[message_id], …]. (Where a pair has no
-- other, that may be the first of the next pair, which it does no harm to look at.)
UPDATE messages SET due_at = :now, holder = NULL
WHERE holder = 'aside' AND sequence IN (
    SELECT (
        SELECT first.sequence FROM messages AS first
        WHERE first.due_at IS NOT NULL
            AND (first.shown, first.recipient) >= (finished.shown, finished.recipient || '')
        ORDER BY first.shown, first.recipient, first.sequence LIMIT 1
    )
    FROM json_each(:ids) AS each
    JOIN messages AS finished ON finished.message_id = each.value ->> 0
)
RETURNING outbound_carrier

-- name: obstacles_of_messages
-- As above: whether texts may still be sent; `ids` is [[message_id], …].
SELECT ready.message_id,
    ready.kind = 'Relayed' AND EXISTS (
        SELECT 1 FROM opt_outs
        WHERE opt_outs.participant = ready.recipient AND opt_outs.proxy_number = ready.shown
    ) AS unwanted,
    CASE WHEN ready.kind = 'Relayed' THEN coalesce((
        SELECT proxy_sessions.capabilities FROM claims
        JOIN proxy_sessions ON proxy_sessions.proxy_session_id = claims.proxy_session_id
        WHERE claims.participant = ready.recipient AND claims.proxy_number = ready.shown
            AND claims.proxy_session_id = ready.proxy_session_id
            AND proxy_sessions.ended_at IS NULL AND proxy_sessions.expires_at > :now
    ), '') ELSE 'SMS' END AS capabilities
FROM json_each(:ids) AS each
JOIN messages AS ready ON ready.message_id = each.value ->> 0

-- name: claim_messages
-- `ids` is [[message_id], …].
UPDATE messages
SET state = 'Sending', attempts = attempts + 1, holder = :holder, due_at = :until, sent_at = :now
FROM json_each(:ids) AS each
WHERE messages.message_id = each.value ->> 0

-- name: renew_claims
-- `ids` is [[message_id], …].
UPDATE messages SET due_at = :until
FROM json_each(:ids) AS each
WHERE messages.message_id = each.value ->> 0 AND state = 'Sending' AND holder = :holder

-- name: texts_under_way
-- Those that were given to a link and not settled; `ids` is [[message_id], …].
SELECT messages.message_id, account_id, state, attempts, received_at, expires_at,
    keep_milliseconds, shown, recipient, outbound_carrier
FROM json_each(:ids) AS each
JOIN messages ON messages.message_id = each.value ->> 0
WHERE state IN ('Sending', 'InDoubt')

-- name: accept_messages
-- `texts` is [[message_id, encoding, segments, ids], …].
UPDATE messages
SET state = 'Accepted', outbound_encoding = each.value ->> 1,
    outbound_segments = CAST(each.value ->> 2 AS BIGINT),
    outbound_ids = CAST(each.value ->> 3 AS BIGINT), accepted_at = :now, due_at = NULL,
    holder = NULL, reason = NULL, error = NULL
FROM json_each(:texts) AS each
WHERE messages.message_id = each.value ->> 0

-- name: schedule_erasure
-- `texts` is [[message_id, erase_at], …]; with an erase_at of 0 the words are erased at once.
UPDATE messages
SET erase_at = CAST(each.value ->> 1 AS BIGINT),
    sealed_body = CASE WHEN CAST(each.value ->> 1 AS BIGINT) = 0 THEN NULL ELSE sealed_body END
FROM json_each(:texts) AS each
WHERE messages.message_id = each.value ->> 0

-- name: end_messages
-- `texts` is [[message_id, state, reason, error, at, erase_at], …]; with an erase_at of 0 the words
-- are erased at once.
UPDATE messages
SET state = each.value ->> 1, reason = each.value ->> 2, error = each.value ->> 3,
    ended_at = CAST(each.value ->> 4 AS BIGINT), due_at = NULL, holder = NULL,
    erase_at = CAST(each.value ->> 5 AS BIGINT),
    sealed_body = CASE WHEN CAST(each.value ->> 5 AS BIGINT) = 0 THEN NULL ELSE sealed_body END
FROM json_each(:texts) AS each
WHERE messages.message_id = each.value ->> 0

-- name: postpone_messages
-- `texts` is [[message_id, state, reason, due_at], …].
UPDATE messages
SET state = each.value ->> 1, reason = each.value ->> 2,
    due_at = CAST(each.value ->> 3 AS BIGINT), holder = NULL
FROM json_each(:texts) AS each
WHERE messages.message_id = each.value ->> 0

-- name: insert_segment
-- A carrier that begins to count anew gives ids again: the newest holds.
INSERT INTO message_segments (carrier, sent_id, message_id, sent_at)
VALUES (:carrier, :sent_id, :message_id, :sent_at)
ON CONFLICT (carrier, sent_id) DO UPDATE SET
    message_id = excluded.message_id, reported = NULL, sent_at = excluded.sent_at

-- name: reported_segments
-- The texts that receipts are about; `ids` is [[place, carrier, sent_id], …]. Versions that did not
-- count ids noted one for each segment.
SELECT CAST(each.value ->> 0 AS BIGINT) AS place, message_segments.reported,
    message_segments.sent_at < coalesce(messages.sent_at, message_segments.sent_at + 1) AS stale,
    messages.message_id, messages.account_id, messages.state, messages.keep_milliseconds,
    coalesce(messages.outbound_ids, messages.outbound_segments) AS outbound_ids,
    messages.delivered_segments
FROM json_each(:ids) AS each
JOIN message_segments
    ON message_segments.carrier = each.value ->> 1 AND message_segments.sent_id = each.value ->> 2
JOIN messages ON messages.message_id = message_segments.message_id

-- name: note_reported_segments
-- `ids` is [[carrier, sent_id, reported], …].
UPDATE message_segments SET reported = each.value ->> 2
FROM json_each(:ids) AS each
WHERE message_segments.carrier = each.value ->> 0 AND message_segments.sent_id = each.value ->> 1

-- name: count_delivered_segments
-- `texts` is [[message_id, delivered], …].
UPDATE messages SET delivered_segments = CAST(each.value ->> 1 AS BIGINT)
FROM json_each(:texts) AS each
WHERE messages.message_id = each.value ->> 0

-- name: keep_early_receipt
-- As with texts: what was delivered stays delivered, and "under way" is no news after an end. But a
-- carrier that begins to count anew gives ids again: about another pair, or after an hour, the newest
-- holds.
INSERT INTO early_receipts
    (carrier, sent_id, reported, error, source, destination, reference, whole, reported_at,
     kept_at)
VALUES
    (:carrier, :sent_id, :reported, :error, :source, :destination, :reference, :whole,
     :reported_at, :kept_at)
ON CONFLICT (carrier, sent_id) DO UPDATE SET
    reported = excluded.reported, error = excluded.error, source = excluded.source,
    destination = excluded.destination, reference = excluded.reference, whole = excluded.whole,
    reported_at = excluded.reported_at, kept_at = excluded.kept_at
WHERE early_receipts.source <> excluded.source
    OR early_receipts.destination <> excluded.destination
    OR early_receipts.kept_at <= excluded.kept_at - 3600000
    OR (
        early_receipts.reported <> 'Delivered'
        AND excluded.reported NOT IN ('Enroute', 'Accepted', 'Unknown')
    )

-- name: take_early_receipts
-- `ids` is [[carrier, sent_id], …].
DELETE FROM early_receipts
WHERE (carrier, sent_id) IN (
    SELECT each.value ->> 0, each.value ->> 1 FROM json_each(:ids) AS each
)
RETURNING *

-- name: early_receipts_of_pair
SELECT * FROM early_receipts
WHERE carrier = :carrier AND source = :shown AND destination = :recipient
ORDER BY kept_at, sent_id

-- name: text_in_doubt
-- The text of a pair whose answer was lost: of each pair, at most one is under way.
SELECT message_id, sealed_body, sent_at, EXISTS (
    SELECT 1 FROM unanswered_submits AS another
    WHERE another.shown = messages.shown AND another.recipient = messages.recipient
        AND another.message_id <> messages.message_id
) AS ambiguous
FROM messages
WHERE shown = :shown AND recipient = :recipient AND due_at IS NOT NULL
    AND state = 'InDoubt' AND outbound_carrier = :carrier
ORDER BY sequence
LIMIT 1

-- name: note_unanswered_submit
-- Gives when the text came in doubt first.
INSERT INTO unanswered_submits (shown, recipient, message_id, doubted_at)
VALUES (:shown, :recipient, :message_id, :now)
ON CONFLICT (shown, recipient, message_id) DO UPDATE
SET doubted_at = unanswered_submits.doubted_at
RETURNING doubted_at

-- name: forget_unanswered_submit
DELETE FROM unanswered_submits
WHERE shown = :shown AND recipient = :recipient AND message_id = :message_id

-- name: purge_unanswered_submits
DELETE FROM unanswered_submits WHERE (shown, recipient, message_id) IN (
    SELECT shown, recipient, message_id FROM unanswered_submits WHERE doubted_at <= :before
    ORDER BY doubted_at LIMIT :limit
)

-- name: list_abandoned_messages
-- Texts that somebody was to send who did not come back to say how it went.
SELECT message_id, account_id, shown, recipient, outbound_carrier FROM messages
WHERE due_at <= :now AND state = 'Sending'
LIMIT :limit

-- name: list_messages_of_earlier_lives
-- Texts that this node was sending when it was killed; `holder` is its present life.
SELECT message_id, account_id, shown, recipient, outbound_carrier FROM messages
WHERE due_at IS NOT NULL AND state = 'Sending' AND holder <> :holder
    AND substr(holder, 1, length(:node)) = :node

-- name: list_overdue_messages
SELECT message_id, account_id, state, keep_milliseconds FROM messages
WHERE due_at IS NOT NULL AND state <> 'Sending' AND expires_at <= :now
ORDER BY outbound_carrier, due_at
LIMIT :limit

-- name: list_unwanted_messages
-- What waits to be sent to somebody who wants no more. What is in doubt goes on waiting for its
-- receipt: whether it may be sent again is looked at when it would be.
SELECT message_id, account_id, keep_milliseconds FROM messages
WHERE shown = :shown AND recipient = :recipient AND due_at IS NOT NULL
    AND state NOT IN ('Sending', 'InDoubt')

-- name: count_pending
-- How many texts wait for each carrier.
SELECT outbound_carrier, count(*) AS texts FROM messages
WHERE due_at IS NOT NULL
GROUP BY outbound_carrier

-- name: count_pending_of
-- How many texts wait for a carrier; beyond `most` it counts no further.
SELECT count(*) AS texts FROM (
    SELECT 1 FROM messages WHERE outbound_carrier = :carrier AND due_at IS NOT NULL LIMIT :most
) AS page

-- name: count_open_parts
-- How many parts of long texts wait for others, by the carrier that brought them.
SELECT carrier, count(*) AS parts FROM message_parts
WHERE message_id IS NULL
GROUP BY carrier

-- name: count_parts
-- How many parts there are of a text, and how many of its sender's wait for others.
SELECT (
    SELECT count(*) FROM message_parts
    WHERE carrier = :carrier AND source = :source AND destination = :destination
        AND reference = :reference AND total = :total
) AS of_text, (
    SELECT count(*) FROM message_parts
    WHERE carrier = :carrier AND source = :source AND message_id IS NULL
) AS of_sender

-- name: insert_part
-- Changes no row when the part is there.
INSERT INTO message_parts
    (carrier, source, destination, reference, total, number, sealed_text, encoding, repeat_key,
     connection, received_at)
VALUES
    (:carrier, :source, :destination, :reference, :total, :number, :sealed_text, :encoding,
     :repeat_key, :connection, :received_at)
ON CONFLICT DO NOTHING

-- name: list_parts
SELECT * FROM message_parts
WHERE carrier = :carrier AND source = :source AND destination = :destination
    AND reference = :reference AND total = :total
ORDER BY number

-- name: join_parts
-- Those that went into no text yet.
UPDATE message_parts SET message_id = :message_id, sealed_text = NULL
WHERE carrier = :carrier AND source = :source AND destination = :destination
    AND reference = :reference AND total = :total AND message_id IS NULL

-- name: forget_parts
DELETE FROM message_parts
WHERE carrier = :carrier AND source = :source AND destination = :destination
    AND reference = :reference AND total = :total

-- name: stale_parts
-- Parts that wait for others for too long.
SELECT carrier, source, destination, reference, total FROM message_parts
WHERE message_id IS NULL AND received_at <= :before
ORDER BY received_at
LIMIT :limit

-- name: purge_parts
DELETE FROM message_parts WHERE (carrier, source, destination, reference, total, number) IN (
    SELECT carrier, source, destination, reference, total, number FROM message_parts
    WHERE message_id IS NOT NULL AND received_at <= :before
    ORDER BY received_at LIMIT :limit
)

-- name: put_opt_out
-- It belongs to whoever has the number when it is said again.
INSERT INTO opt_outs (participant, proxy_number, account_id, opted_out_at)
VALUES (:participant, :proxy_number, :account_id, :now)
ON CONFLICT (participant, proxy_number) DO UPDATE SET account_id = excluded.account_id

-- name: get_opt_out
SELECT 1 FROM opt_outs WHERE participant = :participant AND proxy_number = :proxy_number

-- name: delete_opt_out
-- Whoever said it takes it back, whichever account had the number then.
DELETE FROM opt_outs WHERE participant = :participant AND proxy_number = :proxy_number

-- name: remove_opt_out
-- Another one takes it back: the account that has the number or, where none has it, had it then.
DELETE FROM opt_outs
WHERE participant = :participant AND proxy_number = :proxy_number
    AND :account_id = coalesce((
        SELECT phone_numbers.account_id FROM phone_numbers
        WHERE phone_numbers.phone_number = opt_outs.proxy_number
    ), opt_outs.account_id)

-- name: list_opt_outs
-- What was said to the account itself, on numbers that are no other's by now: it is told nobody whom
-- it had nothing to do with.
SELECT * FROM opt_outs
WHERE account_id = :account_id AND sequence < :before
    AND NOT EXISTS (
        SELECT 1 FROM phone_numbers
        WHERE phone_numbers.phone_number = opt_outs.proxy_number
            AND phone_numbers.account_id <> opt_outs.account_id
    )
ORDER BY account_id DESC, sequence DESC
LIMIT :limit

-- name: note_reply
-- Changes no row when somebody was told something not long ago.
INSERT INTO text_replies (participant, proxy_number, replied_at)
VALUES (:participant, :proxy_number, :now)
ON CONFLICT (participant, proxy_number) DO UPDATE SET replied_at = excluded.replied_at
WHERE text_replies.replied_at <= :before

-- name: purge_replies
DELETE FROM text_replies WHERE (participant, proxy_number) IN (
    SELECT participant, proxy_number FROM text_replies WHERE replied_at <= :before
    ORDER BY replied_at LIMIT :limit
)

-- name: see_connection
INSERT INTO text_connections (connection, opened_at, seen_at, has_answers_until)
VALUES (:connection, :now, :now, :has_answers_until)
ON CONFLICT (connection) DO UPDATE
SET seen_at = excluded.seen_at,
    has_answers_until = CASE
        WHEN excluded.has_answers_until > text_connections.has_answers_until
        THEN excluded.has_answers_until ELSE text_connections.has_answers_until
    END

-- name: get_connection
SELECT * FROM text_connections WHERE connection = :connection

-- name: purge_connections
DELETE FROM text_connections WHERE connection IN (
    SELECT connection FROM text_connections WHERE seen_at <= :before ORDER BY seen_at LIMIT :limit
)

-- name: get_message
SELECT * FROM messages WHERE message_id = :message_id

-- name: list_messages
-- Texts are written about in the order in which they are received; within an hour, surely. So a
-- look at the index by time tells where to begin and where to stop reading; and one at the account's
-- first and last, so that an index that others are in, too, is not read to where the account's begin.
SELECT * FROM messages
WHERE account_id = :account_id AND sequence < :before AND :state IN ('', state)
    AND sequence > coalesce((
        SELECT sequence FROM messages WHERE received_at < :received_from - 3600000
        ORDER BY received_at DESC LIMIT 1
    ), 0)
    AND sequence < coalesce((
        SELECT sequence FROM messages WHERE received_at >= :received_until + 3600000
        ORDER BY received_at LIMIT 1
    ), :before)
    AND received_at >= :received_from AND received_at < :received_until
    AND sequence >= coalesce((
        SELECT sequence FROM messages WHERE account_id >= :account_id
        ORDER BY account_id, sequence LIMIT 1
    ), 0)
    AND sequence <= coalesce((
        SELECT sequence FROM messages WHERE account_id <= :account_id
        ORDER BY account_id DESC, sequence DESC LIMIT 1
    ), 0)
ORDER BY sequence DESC
LIMIT :limit

-- name: list_messages_of_session
SELECT * FROM messages
WHERE proxy_session_id = :proxy_session_id AND account_id = :account_id AND sequence < :before
    AND :state IN ('', state)
    AND received_at >= :received_from AND received_at < :received_until
ORDER BY sequence DESC
LIMIT :limit

-- name: list_messages_astray
SELECT * FROM messages
WHERE account_id = :account_id AND sequence < :before
    AND state = :state AND state IN ('Failed', 'Expired', 'Refused', 'InDoubt')
    AND received_at >= :received_from AND received_at < :received_until
ORDER BY sequence DESC
LIMIT :limit

-- name: retry_message
UPDATE messages
SET state = 'Queued', reason = NULL, error = NULL, due_at = :now, sent_at = NULL,
    accepted_at = NULL, ended_at = NULL,
    expires_at = :expires_at, erase_at = :erase_at, delivered_segments = 0
WHERE message_id = :message_id

-- name: erase_messages
UPDATE messages SET sealed_body = NULL
WHERE sequence IN (
    SELECT sequence FROM messages
    WHERE sealed_body IS NOT NULL AND erase_at <= :now AND due_at IS NULL
    ORDER BY erase_at LIMIT :limit
)

-- name: purge_messages
DELETE FROM messages WHERE sequence IN (
    SELECT sequence FROM messages WHERE received_at <= :before AND due_at IS NULL
    ORDER BY received_at LIMIT :limit
)

-- name: purge_segments
DELETE FROM message_segments WHERE sequence IN (
    SELECT sequence FROM message_segments WHERE sent_at <= :before
    ORDER BY sent_at LIMIT :limit
)

-- name: purge_early_receipts
DELETE FROM early_receipts WHERE (carrier, sent_id) IN (
    SELECT carrier, sent_id FROM early_receipts WHERE kept_at <= :before
    ORDER BY kept_at LIMIT :limit
)

-- name: purge_events
-- Of the first ones: the oldest have the lowest numbers. What a clock that was ahead wrote goes with
-- them, or none of those behind it would ever.
DELETE FROM events
WHERE sequence < (SELECT min(sequence) + :limit FROM events)
    AND (happened_at <= :before OR happened_at >= :ahead)
