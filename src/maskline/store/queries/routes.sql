-- name: get_route
-- All that decides a call or a text from a caller to one of our numbers, in one row: the columns of
-- the session for which the caller used the number last, if it is the account's; the rules of the
-- session's connector, or else of the number's; the carriers; and whose numbers those are that may
-- be called, if they are in the inventory. No row for a number that is not ours, or waits to be
-- deleted.
SELECT
    numbers.phone_number AS number,
    numbers.account_id AS number_account_id,
    numbers.carrier AS number_carrier,
    COALESCE(proxy_sessions.voice_connector_id, numbers.voice_connector_id) AS connector_id,
    proxy_sessions.*,
    firsts.carrier AS first_carrier,
    seconds.carrier AS second_carrier,
    others.phone_number AS other_number,
    others.account_id AS other_account_id,
    fallback_number,
    fallbacks.account_id AS fallback_account_id,
    number_assignment, unknown_caller, hang_up_on_delete, hang_up_on_expiry,
    max_ring_seconds, max_call_seconds, max_calls, max_calls_per_second, max_calls_per_caller,
    max_calls_per_caller_per_second, cps_limit, require_encryption,
    keep_text_days, closed_reply, stop_reply, start_reply,
    help_reply, keyword_languages, max_texts_per_minute, record_calls, number_rest_minutes
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
LEFT JOIN phone_numbers AS others
    ON others.phone_number = CASE
        WHEN proxy_sessions.first_number = :caller
        THEN proxy_sessions.second_number ELSE proxy_sessions.first_number
    END
LEFT JOIN voice_connectors
    ON voice_connectors.voice_connector_id
        = COALESCE(proxy_sessions.voice_connector_id, numbers.voice_connector_id)
LEFT JOIN proxy_configurations
    ON proxy_configurations.voice_connector_id
        = COALESCE(proxy_sessions.voice_connector_id, numbers.voice_connector_id)
LEFT JOIN phone_numbers AS fallbacks
    ON fallbacks.phone_number = proxy_configurations.fallback_number
WHERE numbers.phone_number = :dialled AND numbers.deleted_at IS NULL
