"""A text -> the pieces that are spoken one after the other: sentences, long ones in parts."""

import re
import unicodedata

from models.errors import VisavisError

MAX_PIECE_CHARS = 220  # about 15 s of speech
MAX_FIRST_PIECE_CHARS = 90  # the first piece is what the listener waits for
_LEAST_FIRST_PIECE_CHARS = 12  # "Well," alone would sound cut off

_ENDS = ".!?…"
_FULL_WIDTH_ENDS = "。！？｡"  # no space follows these
_CLOSERS = "\"'”’»)]}」』）"
_JOINERS = "\u200c\u200d"  # format characters that belong to the spelling
_CLAUSE_ENDS = ",;:—–、，；："
_ABBREVIATION = re.compile(
    "mr|mrs|ms|dr|prof|st|vs|approx|dept|est|fig|gen|gov|hon|nos|rep|rev|sen|sgt|capt|col|lt|maj|mt"
    "|vol|ca|cf|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec",
    re.IGNORECASE,
)
# those that often are a sentence's last word
_MAY_END = frozenset({"etc", "inc", "ltd", "jr", "sr", "al"})
_BOUNDARY = re.compile(
    f"[{re.escape(_ENDS)}]+[{re.escape(_CLOSERS)}]*(?=\\s|$)"
    f"|[{_FULL_WIDTH_ENDS}]+[{re.escape(_CLOSERS)}]*"
)


class BadTextError(VisavisError):
    """A text that cannot be spoken: empty, too long, or without a single letter or digit."""

    code = "bad_text"


def pieces_of(text: str, max_chars: int) -> list[str]:
    """The pieces of ``text`` in their order, none longer than MAX_PIECE_CHARS, the first shorter.

    Raises BadTextError, also for more than ``max_chars``.
    """
    if len(text) > max_chars:
        raise BadTextError(f"the text has {len(text)} characters; accepted: up to {max_chars}")
    pieces: list[str] = []
    for sentence in sentences_of(_cleaned(text)):
        limit = MAX_PIECE_CHARS if pieces else MAX_FIRST_PIECE_CHARS
        pieces += _parts(sentence, limit)
    spoken = [piece for piece in pieces if any(c.isalnum() for c in piece)]
    if not spoken:
        raise BadTextError("the text is empty; accepted: at least one letter or digit")
    return spoken


def sentences_of(text: str) -> list[str]:
    """Its sentences; a new line ends one, too. What lies in brackets or quotes stays whole only
    as far as it has no end of a sentence inside."""
    sentences: list[str] = []
    for line in text.splitlines():
        start = 0
        for found in _BOUNDARY.finditer(line):
            if _ends_sentence(line, start, found):
                sentences.append(line[start : found.end()].strip())
                start = found.end()
        sentences.append(line[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _cleaned(text: str) -> str:
    """Without control and format characters; every kind of space is one."""
    kept = (
        c if c == "\n" else " " if c.isspace() else c
        for c in text.replace("\r\n", "\n").replace("\u2029", "\n").replace("\u2028", "\n")
        if c.isspace() or c in _JOINERS or unicodedata.category(c)[0] != "C"
    )
    return re.sub(r" {2,}", " ", "".join(kept))


def _ends_sentence(line: str, start: int, found: "re.Match[str]") -> bool:
    mark = found.group()
    if mark[0] in _FULL_WIDTH_ENDS or "!" in mark or "?" in mark:
        return True
    after = line[found.end() :].lstrip()
    if not after:
        return True
    if after[0].islower():
        return False  # "e.g. this", "... and then"
    if mark[0] != "." or mark.startswith(".."):
        return True
    before = line[start : found.start()]
    word = re.split(r"[\s(\[\"“‘'«]", before)[-1]
    if len(word) == 1 and word.isalpha() and word.isupper() and word != "I":
        return False  # an initial: "J. Smith"
    if re.fullmatch(r"(?:\w\.)+\w", word):
        return word.lower() not in ("e.g", "i.e") and len(after) > 1 and after[0].isupper()
    if word.lower() in _MAY_END:
        return after[0].isupper()
    if word.isdigit() and len(word) <= 2 and len(before.strip()) == len(word):
        return False  # "1. Open the box."
    if word.lower() == "no":
        return not after[0].isdigit()  # "No. 5"
    return not _ABBREVIATION.fullmatch(word)


def _parts(sentence: str, first_limit: int) -> list[str]:
    """A sentence in parts that are short enough."""
    parts: list[str] = []
    limit = first_limit
    while len(sentence) > limit:
        cut = _best_cut(sentence, limit)
        parts.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
        limit = MAX_PIECE_CHARS
    return [part for part in [*parts, sentence] if part]


def _best_cut(sentence: str, limit: int) -> int:
    """Where to cut: after the last clause within ``limit``, else between words, else there."""
    clauses = [
        place + 1
        for place, c in enumerate(sentence[:limit])
        if c in _CLAUSE_ENDS and _is_clause_end(sentence, place)
    ]
    if clauses and clauses[-1] >= _LEAST_FIRST_PIECE_CHARS:
        return clauses[-1]
    space = sentence.rfind(" ", 0, limit + 1)
    if space > 0:
        return space
    cut = limit  # never between a letter and the marks that belong to it
    while cut > 1 and unicodedata.combining(sentence[cut]):
        cut -= 1
    return cut


def _is_clause_end(sentence: str, place: int) -> bool:
    """A comma between digits ("1,250") or a colon within a time ("7:30") is none."""
    if sentence[place] in "、，；：—–":
        return True
    return place + 1 >= len(sentence) or sentence[place + 1].isspace()
