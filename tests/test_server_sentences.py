import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.speech_synthesis.sentences import (
    MAX_FIRST_PIECE_CHARS,
    MAX_PIECE_CHARS,
    BadTextError,
    pieces_of,
    sentences_of,
)


@pytest.mark.parametrize(
    "marked",
    [
        "Hello there.| How are you?",
        "I am Dr. Smith.| Mr. and Mrs. Jones left.",
        "It costs $3.50.| Pi is 3.14!",
        "No. 5 is alive.| No.| It is not.",
        "J. K. Rowling wrote it.| So did I.| Really.",
        "Fruit, e.g. pears, i.e. green ones.| Yes.",
        "We met at 7:30 p.m. on Jan. 5.| It rained.",
        "He lives in the U.S.| He left.",
        "Apples, pears, etc.| They grow.",
        "Well...| I do not know. wait",
        'She said "Stop."| Then nothing.',
        "“Really?”| he asked.| «Oui !»",
        "What?!| No!!| Yes…",
        "1. Open it.| 2. Close it.",
        "first line|\nsecond line",
        "你好。|今天天气很好！|我们去散步吧？",
        "version 1.2.3 of www.example.org is out",
    ],
)
def test_sentences_end_where_a_reader_would_stop(marked: str) -> None:
    expected = [sentence.strip() for sentence in marked.split("|")]
    assert sentences_of(marked.replace("|", "")) == expected


def test_a_long_sentence_is_cut_at_clauses_and_its_first_part_is_short() -> None:
    text = (
        "The quick brown fox, which was very tired because it had been running all day long,"
        " finally jumped over the lazy dog, and 1,250 people looked at it at 7:30, since all of"
        " them were awake by then, except for the cat, who had seen it all before, and who would"
        " see it again before the week was over, as everybody knew."
    )
    first, *others = pieces_of(text, 5_000)
    assert len(first) <= MAX_FIRST_PIECE_CHARS
    assert all(len(piece) <= MAX_PIECE_CHARS for piece in others)
    assert " ".join([first, *others]) == text
    assert all(piece.endswith((",", ".")) for piece in [first, *others])


def test_a_sentence_without_commas_is_cut_between_words_and_one_word_where_it_must_be() -> None:
    words = " ".join(["word"] * 200)
    assert all(set(piece.split()) == {"word"} for piece in pieces_of(words, 5_000))
    assert "".join(pieces_of("x" * 1_000, 5_000)) == "x" * 1_000


@pytest.mark.parametrize("text", ["", "   \n\t ", "...!?", "🙂 🙃", "\x00\x01", "—“”—"])
def test_a_text_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(BadTextError, match="at least one letter or digit"):
        pieces_of(text, 5_000)


def test_a_text_that_is_too_long_is_refused_with_the_limit() -> None:
    with pytest.raises(BadTextError, match="5001 characters; accepted: up to 5000"):
        pieces_of("a" * 5_001, 5_000)


def test_control_characters_are_left_out_and_spaces_are_one() -> None:
    assert pieces_of("Hello\u00a0\u2003 there\x00\u202e, you.", 100) == ["Hello there, you."]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400))
def test_every_letter_is_spoken_once_and_in_order(text: str) -> None:
    try:
        pieces = pieces_of(text, 5_000)
    except BadTextError:
        return
    assert all(0 < len(piece) <= MAX_PIECE_CHARS for piece in pieces)
    kept = [c for c in text if c.isalnum()]
    assert [c for piece in pieces for c in piece if c.isalnum()] == kept
