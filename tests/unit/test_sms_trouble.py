"""A carrier that takes no texts: what is known of it, and how often the log hears of it."""

from structlog.testing import capture_logs

from maskline.sms.trouble import NEWS_SECONDS, QUIET_SECONDS, Trouble


def test_the_log_hears_of_the_same_trouble_once_a_minute() -> None:
    now = [0.0]
    trouble = Trouble("acme", lambda: now[0])
    with capture_logs() as lines:
        for why in ("sip-503", "no-answer", "sip-503"):
            trouble.seen(why)
            trouble.over()
        now[0] = QUIET_SECONDS
        trouble.seen("sip-503")
    told = [(line["event"], line["carrier"], line["reason"]) for line in lines]
    assert told == [
        ("carrier in trouble", "acme", why) for why in ("sip-503", "no-answer", "sip-503")
    ]


def test_trouble_is_known_until_it_is_over_or_long_ago() -> None:
    now = [0.0]
    trouble = Trouble("acme", lambda: now[0])
    assert trouble.why == ""
    trouble.seen("no-answer")
    now[0] = NEWS_SECONDS - 1
    assert trouble.why == "no-answer"
    now[0] = NEWS_SECONDS
    assert trouble.why == ""
    trouble.seen("no-answer")
    trouble.over()
    assert trouble.why == ""
