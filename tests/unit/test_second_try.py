"""What may be tried again when it failed beside others."""

import pytest
import second_try

PHONES = "tests/acceptance/test_phones.py::test_hold"


@pytest.mark.parametrize(
    ("failed", "may"),
    [
        ([PHONES], True),
        ([f"{PHONES}[{number}]" for number in range(second_try.MOST)], True),
        ([f"{PHONES}[{number}]" for number in range(second_try.MOST + 1)], False),
        ([PHONES, "tests/unit/smpp_link/test_sms_smpp_link_out.py::test_the_window_is_kept"], True),
        ([PHONES, "tests/unit/test_mask.py::test_tokens"], False),
        ([PHONES, "tests/unit/test_web_fuzz.py::test_no_500"], False),
        ([PHONES, "tests/acceptance/test_leak.py::test_nothing_leaks[bye]"], False),
        ([PHONES, "tests/acceptance/test_calls.py::test_no_name_leaks"], False),
        ([], False),
    ],
)
def test_only_a_few_tests_of_the_whole_and_none_of_leaks(failed: list[str], may: bool) -> None:
    assert second_try.may_try_again(failed) is may


@pytest.mark.parametrize("status", [pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR])
def test_a_run_that_did_not_come_to_its_end_has_failed(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_try, "may_try_again", lambda tests: True)
    assert second_try.main(status) == status
