-- name: get_route
-- All that decides a call or a text from a caller to one of our numbers, in one row: the columns of
-- the session for which the caller used the number last, if it is the account's; the rules of the
-- session's connector, or else of the number's; and the carriers. No row for a number that is not
-- ours, or waits to be deleted.
SELECT
    numbers.phone_number AS number,
    numbers.account_id AS number_account_id,
    numbers.carrier AS number_carrier,
    COALESCE(proxy_sessions.voice_connector_id, numbers.voice_connector_id) AS connector_id,
    proxy_sessions.*,
    firsts.carrier AS first_carrier,
    seconds.carrier AS second_carrier,
    fallback_number,
    number_assignment, unknown_caller, hang_up_on_delete, hang_up_on_expiry,
    max_ring_seconds, max_call_seconds, max_calls, max_calls_per_second, max_calls_per_caller,
    max_calls_per_caller_per_second, cps_limit, require_encryption,
    keep_text_days, closed_reply, stop_reply, start_reply,
    help_reply, keyword_languages, max_texts_per_minute, record_calls
FROM phone_numbers AS numbers
LEFT JOIN claims
    ON claims.participant = :caller AND claims.proxy_number = numbers.phone_number
LEFT JOIN proxy_sessions
    ON proxy_sessions.proxy_session_id = claims.proxy_session_id
    AND proxy_sessions.account_id = numbers.account_id
LEFT JOIN phone_numbers AS firsts
    ON firsts.phone_number = proxy_sessions.first_proxy_number AND firsts.deleted_at IS NULL
LEFT JOIN phone_numbers AS seconds
    ON seconds.phone_number = proxy_sessions.second_proxy_number AND seconds.deleted_at IS NULL
LEFT JOIN voice_connectors
    ON voice_connectors.voice_connector_id
        = COALESCE(proxy_sessions.voice_connector_id, numbers.voice_connector_id)
LEFT JOIN proxy_configurations
    ON proxy_configurations.voice_connector_id
        = COALESCE(proxy_sessions.voice_connector_id, numbers.voice_connector_id)
WHERE numbers.phone_number = :dialled AND numbers.deleted_at IS NULL
