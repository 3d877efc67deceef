"""STOP, START and HELP, on each database."""

import unicodedata
from dataclasses import replace

import pytest
from carrier import Carrier
from desk import ANN, BEN, CAT, proxy

from maskline.clock import MINUTE
from maskline.domain.connector import Rules, TextRules
from maskline.domain.keywords import WORDS, Keyword, keyword_of
from maskline.domain.refusals import NotFound
from maskline.operations import settle_expired_sessions
from maskline.sms.limits import Limits
from maskline.sms.port import Accepted, Media, Refused, TryLater, Unknown


def test_stop_ends_texts_to_whoever_said_it(carrier: Carrier, number: str) -> None:
    carrier.bring("hello", number)
    carrier.bring("more", number)
    assert isinstance(carrier.bring("Stop.", number, BEN), Accepted)
    carrier.accept()
    verdict = carrier.bring("and more", number)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "opted-out"
    assert [text.text for text in carrier.sent] == ["hello"]
    assert carrier.states() == ["Accepted", "Refused", "Handled", "Refused"]
    (opt_out,) = carrier.desk.maskline("ListOptOuts")["OptOuts"]
    assert opt_out["ParticipantPhoneNumber"] == BEN
    # The other way it still goes, and START takes it back.
    carrier.bring("well", number, BEN)
    assert carrier.sent[-1].text == "well"
    carrier.bring("START", number, BEN)
    carrier.bring("hi", number)
    assert carrier.sent[-1].text == "hi"


def test_stop_holds_for_what_would_be_sent_again(
    carrier: Carrier, connector: str, number: str
) -> None:
    """What waits, what is in doubt, and what is under way and comes back."""
    session = carrier.desk.open(connector, CAT, BEN)
    carrier.bring("one", number)
    carrier.bring("two", number)
    carrier.answer(Unknown(reason="link-lost"))
    carrier.bring("STOP", number, BEN)
    assert carrier.states() == ["InDoubt", "Refused", "Handled"]
    carrier.wait(61_000)
    assert carrier.states() == ["Refused", "Refused", "Handled"]
    carrier.bring("three", proxy(session), CAT)
    carrier.bring("STOP", proxy(session), BEN)
    carrier.answer(TryLater(after=1, reason="busy"))
    carrier.wait(60_000)
    assert [text.text for text in carrier.sent] == ["one", "three"]
    assert carrier.states()[3] == "Refused"
    # Their words are of no use to anybody.
    bodies = carrier.desk.ground.sql("SELECT sealed_body FROM messages")
    assert [row["sealed_body"] for row in bodies] == [None] * 5


def test_what_was_in_doubt_when_somebody_said_stop_may_have_been_delivered(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("hello", number)
    carrier.answer(Unknown(reason="link-lost"))
    carrier.bring("STOP", number, BEN)
    carrier.report("id-1", source=number, destination=BEN)
    assert carrier.states() == ["Delivered", "Handled"]


def test_a_word_is_one_also_where_something_stayed_behind(carrier: Carrier, number: str) -> None:
    carrier.bring("yes", number, BEN, notice="(cut)")
    carrier.accept()
    carrier.bring("", number, BEN, notice="(cut)")
    assert [text.text for text in carrier.sent] == ["yes\n(cut)", "(cut)"]
    carrier.bring("STOP", number, BEN, notice="(cut)")
    assert carrier.states()[-1] == "Handled"


@pytest.mark.parametrize(
    "words",
    [
        "\u2018Stop\u2019", "(STOP)", "STOP,", "*stop*", "Stop…", "„Stopp“", "¡Alto!", "- stop -",
        "\u00a0STOP.\u00a0", "STOP\u200b", "\ufeffStop", "\uff33\uff34\uff2f\uff30",
        "De\u0301sabonner", "STOP" + "\n" * 30, "Arrèt", "D\u00c8SABONNER", "STOP\ufe0f",
        "\u24c8\u24c9\u24c4\u24c5", "UNSUBSCR\u0130BE",
    ],
)  # fmt: skip
def test_a_word_is_one_however_telephones_write_it(words: str) -> None:
    assert keyword_of(words, ("de", "es", "fr")) is Keyword.STOP


@pytest.mark.parametrize("words", ["Stop?", "stop it", "stop 😂", "s t o p", "!?", ""])
def test_what_is_more_than_a_word_is_for_the_other_side(words: str) -> None:
    assert keyword_of(words, ("de", "es", "fr")) is None


def test_stop_is_heeded_again_also_when_it_may_be_repeated(carrier: Carrier, number: str) -> None:
    """By a carrier whose connection was lost a moment after the same word."""
    carrier.bring("STOP", number, BEN)
    carrier.bring("START", number, BEN)
    carrier.restart()
    carrier.bring("STOP", number, BEN, connection="c2")
    carrier.bring("hello", number, connection="c2")
    assert carrier.sent == []
    assert carrier.states() == ["Handled", "Handled", "Handled", "Refused"]


def test_stop_is_heeded_again_also_within_one_turn(carrier: Carrier, number: str) -> None:
    carrier.connections = ("c2",)
    carrier.turn(
        *(carrier.text(words, number, BEN) for words in ("STOP", "START")),
        carrier.text("STOP", number, BEN, connection="c2"),
        carrier.text("hello", number, connection="c2"),
    )
    assert carrier.sent == []


def test_who_says_stop_or_start_is_told_each_time_that_it_changes_something(
    carrier: Carrier, connector: str, number: str
) -> None:
    """Carriers ask for that. Who answers our answers with the same word is told nothing."""
    carrier.desk.rule(connector, HelpReply="Help.", StopReply="Stopped.", StartReply="Started.")
    for words in ("HELP", "HELP", "STOP", "STOP", "START", "START", "STOP"):
        carrier.bring(words, number, BEN)
        while carrier.states()[-1] == "Sending":
            carrier.accept(f"id-{len(carrier.sent)}")
    told = [text.text for text in carrier.sent if text.destination == BEN]
    assert told == ["Help.", "Stopped.", "Started.", "Stopped."]


def test_stop_and_start_in_turn_are_answered_within_the_senders_limit(
    carrier: Carrier, connector: str, number: str
) -> None:
    """Somebody may say them in another's name, who would get all the answers."""
    carrier.limits = Limits(per_sender_minute=2)
    carrier.desk.rule(connector, StopReply="Stopped.", StartReply="Started.")
    for words in ("STOP", "START") * 5:
        carrier.bring(words, number, BEN)
        while carrier.states()[-1] == "Sending":
            carrier.accept(f"id-{len(carrier.sent)}")
    assert [text.text for text in carrier.sent] == ["Stopped.", "Started.", "Stopped."]
    assert set(carrier.states()) == {"Handled", "Accepted"}
    carrier.desk.now += MINUTE
    carrier.bring("STOP", number, BEN)
    assert [text.text for text in carrier.sent[3:]] == ["Stopped."]


def test_a_barred_number_is_heeded_and_told_nothing(
    carrier: Carrier, connector: str, number: str
) -> None:
    """Else whoever earns by what is sent there would have us send."""
    carrier.desk.rule(connector, StopReply="Stopped.", HelpReply="Help.")
    carrier.desk.policy = replace(carrier.desk.policy, barred_prefixes=(BEN[:5],))
    for words in ("HELP", "STOP"):
        carrier.bring(words, number, BEN)
    assert (carrier.sent, carrier.states()) == ([], ["Handled"] * 2)


def test_stop_is_heeded_beyond_the_senders_limit(carrier: Carrier, number: str) -> None:
    carrier.limits = Limits(per_sender_minute=1)
    carrier.bring("one", number, BEN)
    verdict = carrier.bring("two", number, BEN)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "rate-limited"
    carrier.bring("STOP", number, BEN)
    assert carrier.states()[-1] == "Handled"


def test_stop_is_heeded_whatever_pictures_come_with_it(carrier: Carrier, number: str) -> None:
    """A telephone sends the signature of its owner along, say."""
    carrier.desk.policy = replace(carrier.desk.policy, rules=Rules(texts=TextRules(max_media=0)))
    signature = Media(url="https://carrier.example/1", content_type="image/png")
    assert carrier.bring("hello", number, BEN, media=(signature,)) == Refused(
        reason="too-many-media"
    )
    carrier.bring("STOP", number, BEN, media=(signature,))
    assert carrier.states() == ["Refused", "Handled"]


def test_who_said_stop_is_told_nothing_about_a_session(carrier: Carrier, connector: str) -> None:
    session = carrier.desk.open(connector, ANN, BEN)
    carrier.desk.rule(connector, ClosedReply="This number is no longer in use.")
    carrier.bring("STOP", proxy(session))
    carrier.desk.close(session)
    carrier.bring("are you there", proxy(session))
    assert carrier.sent == []


@pytest.mark.parametrize(
    ("language", "keyword", "word"),
    [
        (language, keyword, word)
        for language, words in WORDS.items()
        for keyword, some in words.items()
        for word in sorted(some)
    ],
)
def test_the_keywords_of_each_language(
    carrier: Carrier, connector: str, number: str, language: str, keyword: Keyword, word: str
) -> None:
    languages = [language] if language != "en" else []
    carrier.desk.rule(connector, KeywordLanguages=languages, HelpReply="Ask us.")
    if keyword is Keyword.START:
        carrier.bring("stop", number)
    carrier.bring(f" {word.upper()}! ", number)
    record = [each for each in carrier.messages() if each["Kind"] == "Relayed"][-1]
    assert (record["State"], record["Reason"]) == ("Handled", keyword.value)
    opted_out = carrier.desk.maskline("ListOptOuts")["OptOuts"]
    assert len(opted_out) == (keyword is Keyword.STOP)


@pytest.mark.parametrize(
    ("language", "stop", "start", "help_"),
    [
        ("en", "stop stopall unsubscribe cancel end quit revoke optout opt-out",
         "start unstop yes subscribe", "help info"),
        ("fr", "arret arrêt arrêter arreter annuler desabonner", "oui reprendre", "aide"),
        ("es", "alto parar baja cancelar", "alta sí si", "ayuda"),
        ("de", "stopp halt abmelden ende aufhören aufhoren aufhoeren", "anmelden ja", "hilfe"),
        ("pt", "pare parar sair cancelar", "iniciar sim começar comecar", "ajuda"),
        ("it", "ferma basta annulla", "inizia sì si", "aiuto"),
        ("nl", "stoppen afmelden einde", "starten ja", "hulp"),
    ],
)  # fmt: skip
def test_what_people_say_to_stop(language: str, stop: str, start: str, help_: str) -> None:
    meant = {Keyword.STOP: stop, Keyword.START: start, Keyword.HELP: help_}
    for keyword, some in meant.items():
        for word in some.split():
            assert keyword_of(word, (language,)) is keyword
            apart = unicodedata.normalize("NFD", f"\n “{word.title()}.” ")
            assert keyword_of(apart, (language,)) is keyword
            assert keyword_of(f"{word} it", (language,)) is None
            assert language == "en" or keyword_of(word, ()) is not keyword
    assert keyword_of("stop" + " " * 96, ()) is Keyword.STOP
    assert keyword_of("stop" + " " * 97, ()) is None
    assert keyword_of("", ("fr",)) is None


def test_stop_holds_within_one_turn(carrier: Carrier, number: str) -> None:
    carrier.turn(
        carrier.text("one", number),
        carrier.text("STOP", number, BEN),
        carrier.text("two", number),
    )
    assert carrier.sent == []
    assert carrier.states() == ["Refused", "Handled", "Refused"]


def test_the_operator_may_take_a_stop_back(carrier: Carrier, number: str) -> None:
    carrier.bring("unsubscribe", number, BEN)
    with pytest.raises(NotFound):
        carrier.desk.maskline("RemoveOptOut", ParticipantPhoneNumber=ANN, ProxyPhoneNumber=number)
    carrier.desk.maskline("RemoveOptOut", ParticipantPhoneNumber=BEN, ProxyPhoneNumber=number)
    assert carrier.desk.maskline("ListOptOuts") == {"OptOuts": []}
    carrier.bring("hello", number)
    assert carrier.sent[-1].destination == BEN


def number_changes_hands(carrier: Carrier, number: str) -> str:
    """The number that Ann and Ben had is another account's, where they have it again; that
    account."""
    desk = carrier.desk
    desk.now += 60 * MINUTE
    settle_expired_sessions(desk.context(""))
    desk.maskline("RemovePhoneNumbers", E164PhoneNumbers=[number])
    other = desk.tenant()
    desk.import_numbers(number, AccountId=other)
    desk.account_id = other
    assert proxy(desk.open(desk.connector(), ANN, BEN)) == number
    return other


def test_stop_outlives_the_numbers_account_and_start_takes_it_back(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("STOP", number, BEN)
    number_changes_hands(carrier, number)
    verdict = carrier.bring("hello", number)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "opted-out"
    # Nobody is told the number of somebody who said it to another account.
    assert carrier.desk.maskline("ListOptOuts") == {"OptOuts": []}
    carrier.bring("START", number, BEN)
    carrier.bring("hello again", number)
    assert [text.text for text in carrier.sent] == ["hello again"]


def test_a_stop_is_in_the_hands_of_whoever_has_the_number(carrier: Carrier, number: str) -> None:
    desk, first = carrier.desk, carrier.desk.account_id
    pair = {"ParticipantPhoneNumber": BEN, "ProxyPhoneNumber": number}
    carrier.bring("STOP", number, BEN)
    second = number_changes_hands(carrier, number)
    desk.account_id = first
    assert desk.maskline("ListOptOuts") == {"OptOuts": []}
    with pytest.raises(NotFound):
        desk.maskline("RemoveOptOut", **pair)
    desk.account_id = second
    carrier.bring("STOP", number, BEN)
    (opt_out,) = desk.maskline("ListOptOuts")["OptOuts"]
    assert pair.items() <= opt_out.items()
    desk.maskline("RemoveOptOut", **pair)
    carrier.bring("hello", number)
    assert carrier.sent[-1].destination == BEN


def test_a_stop_is_listed_and_taken_back_when_its_number_is_nobodys(
    carrier: Carrier, number: str
) -> None:
    carrier.bring("STOP", number, BEN)
    carrier.desk.now += 60 * MINUTE
    settle_expired_sessions(carrier.desk.context(""))
    carrier.desk.maskline("RemovePhoneNumbers", E164PhoneNumbers=[number])
    assert len(carrier.desk.maskline("ListOptOuts")["OptOuts"]) == 1
    carrier.desk.maskline("RemoveOptOut", ParticipantPhoneNumber=BEN, ProxyPhoneNumber=number)
    assert carrier.desk.maskline("ListOptOuts") == {"OptOuts": []}


def test_yes_is_a_word_like_any_other_to_those_who_never_said_stop(
    carrier: Carrier, number: str
) -> None:
    for words in ("yes", "help", "arrêt"):
        carrier.bring(words, number)
        carrier.accept(words)
    assert [text.text for text in carrier.sent] == ["yes", "help", "arrêt"]


def test_keywords_of_other_languages_and_replies_are_the_connectors_choice(
    carrier: Carrier, connector: str, number: str
) -> None:
    carrier.desk.rule(
        connector, KeywordLanguages=["fr"], StopReply="Fini.", HelpReply="Aide : 0 800."
    )
    carrier.bring("Arrêt", number)
    assert [(text.text, text.destination) for text in carrier.sent] == [("Fini.", ANN)]
    carrier.accept()
    carrier.bring("aide", number, BEN)
    assert carrier.sent[-1].text == "Aide : 0 800."
    assert carrier.states() == ["Handled", "Accepted", "Handled", "Sending"]
