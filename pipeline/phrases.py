"""Phrases that set groups of texts apart, as they stand in the texts.

Decision: a phrase is one to four words in a row, inside one clause, that begins and ends with a
word of content. Each text counts once. What several groups say verbatim, such as "Answer with the
correct letter", is left out before counting, and words of instruction alone are no phrase.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:['\u2019-][^\W_\u3040-\u30ff\u3400-\u9fff]+)*[+#]*"
)
_CLAUSE = re.compile(r"[\n.!?:;,()\[\]{}<>\"“”|=…\u3002\uff01\uff1f\uff0c\u3001\uff1b\uff1a]+")
_COMMAND = re.compile(r"\\[a-zA-Z]+")  # of TeX
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_N_TEXTS = 240
"""Texts of a group that are read: the first ones."""
_N_CHARACTERS = 1_200
"""Of a text that are read: two thirds of them its beginning, one third its end."""
_LONGEST = 4
_LEAST_SHARE = 0.02
_TEMPLATE_SHARE, _TEMPLATE_GROUPS = 0.1, 3
_AUXILIARIES = (
    "ain't aren't can't couldn't did didn't does doesn't doing don't going gonna had hadn't hasn't "
    "haven't he's i'd i'll i'm i've isn't it's just let let's shouldn't that's there's they're "
    "we're what's where's who's won't wouldn't you'd you'll you're you've ii iii iv"
)
_INSTRUCTION_WORDS = (
    "able answer answers ask asked asking assume based best briefly choice choices choose correct "
    "correctly create creates describe detailed different example examples explain explanation "
    "figure following generate given good help include know like look looking make "
    "mean means need needed new option options people please possible provide question "
    "questions read reasoning respond response right said say says select show step steps sure "
    "tell thing things think true try trying understand use used user using want wanted way "
    "write written"
)
_INSTRUCTION = frozenset(_INSTRUCTION_WORDS.split())


@dataclass(frozen=True, kw_only=True)
class Group:
    """The texts of one group, cut into clauses of words."""

    texts: tuple[tuple[tuple[str, ...], ...], ...]

    def clause_counts(self) -> Counter[tuple[str, ...]]:
        """Return in how many texts each clause stands."""
        return Counter(clause for text in self.texts for clause in set(text))

    def without(self, clauses: frozenset[tuple[str, ...]]) -> "Group":
        """Leave these clauses out, but of no text all of them."""
        kept = (tuple(c for c in text if c not in clauses) or text for text in self.texts)
        return Group(texts=tuple(kept))


@dataclass(frozen=True, kw_only=True)
class PhraseTable:
    """Which phrases the texts of groups hold."""

    groups: tuple[Group, ...]
    """Without what several of them say verbatim."""
    phrases: tuple[str, ...]
    """Sorted."""
    shares: NDArray[np.float64]
    """Shape (n_groups, n_phrases): share of the group's texts that hold the phrase."""
    form: NDArray[np.float64]
    """Shape (n_phrases,): weight by the kind of its words."""

    @classmethod
    def of(cls, groups: Sequence[Sequence[str]]) -> "PhraseTable":
        """Count the phrases of groups of texts."""
        cut = [Group(texts=tuple(_clauses(text) for text in group[:_N_TEXTS])) for group in groups]
        templates = _shared_clauses(cut)
        read = tuple(group.without(templates) for group in cut)
        stops = _stop_words(read)
        counted = [_phrase_shares(group, stops) for group in read]
        phrases = tuple(sorted(set().union(*counted)))
        place = {phrase: column for column, phrase in enumerate(phrases)}
        shares = np.zeros((len(counted), len(phrases)))
        for row, found in enumerate(counted):
            for phrase, share in found.items():
                shares[row, place[phrase]] = share
        return cls(groups=read, phrases=phrases, shares=shares, form=_form(phrases, stops))


def _clauses(text: str) -> tuple[tuple[str, ...], ...]:
    head = text[: 2 * _N_CHARACTERS // 3]
    tail = text[len(head) :][-_N_CHARACTERS // 3 :]
    parts = (_COMMAND.sub(" ", part) for part in (head, tail))
    cut = (_TOKEN.findall(clause) for part in parts for clause in _CLAUSE.split(part))
    return tuple(
        tuple(word.lower().replace("\u2019", "'") for word in clause) for clause in cut if clause
    )


def _shared_clauses(groups: Sequence[Group]) -> frozenset[tuple[str, ...]]:
    """Return the clauses that a tenth of the texts of several groups hold word for word."""
    n_groups: Counter[tuple[str, ...]] = Counter()
    for group in groups:
        least = max(2.0, _TEMPLATE_SHARE * len(group.texts))
        n_groups.update(c for c, count in group.clause_counts().items() if count >= least)
    return frozenset(clause for clause, n in n_groups.items() if n >= _TEMPLATE_GROUPS)


def _stop_words(groups: Sequence[Group]) -> frozenset[str]:
    """Return English stop words, and what over half of many groups say in any language."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # noqa: PLC0415 - slow to load

    n_groups: Counter[str] = Counter()
    for group in groups:
        held = Counter(word for text in group.texts for word in {w for c in text for w in c})
        n_groups.update(word for word, n in held.items() if n > 0.1 * len(group.texts))
    common = {word for word, n in n_groups.items() if n > max(3, len(groups) / 2)}
    return frozenset(ENGLISH_STOP_WORDS.union(_AUXILIARIES.split(), common))


def _phrase_shares(group: Group, stops: frozenset[str]) -> dict[str, float]:
    counts = Counter(p for text in group.texts for p in set(_phrases(text, stops)))
    least = max(2.0, _LEAST_SHARE * len(group.texts))
    return {phrase: n / len(group.texts) for phrase, n in counts.items() if n >= least}


def _phrases(text: Sequence[Sequence[str]], stops: frozenset[str]) -> Iterator[str]:
    for clause in text:
        ends = [_is_content(word, stops) for word in clause]
        for start in np.flatnonzero(ends).tolist():
            for stop in range(start, min(start + _LONGEST, len(clause))):
                if ends[stop]:
                    phrase = joined_words(clause[start : stop + 1])
                    if len(phrase) > 1:
                        yield phrase


def _is_content(word: str, stops: frozenset[str]) -> bool:
    long_enough = len(word) > 1 or _NO_SPACES.match(word) is not None
    return long_enough and word not in stops and not word.isdigit()


def joined_words(words: Sequence[str]) -> str:
    """Put words together again, without spaces where their script has none."""
    return ("" if all(map(_NO_SPACES.match, words)) else " ").join(words)


def _form(phrases: Sequence[str], stops: frozenset[str]) -> NDArray[np.float64]:
    """Weigh phrases of several words of content up, and those of instruction alone to 0."""
    weights = np.zeros(len(phrases))
    for column, phrase in enumerate(phrases):
        words = [word for word in _words_of(phrase) if word not in stops]
        n_content = sum(word not in _INSTRUCTION for word in words)
        if n_content:
            weights[column] = (1.0 + 0.5 * (n_content - 1)) * (1.0 + n_content / len(words)) / 2.0
    return weights


def _words_of(phrase: str) -> list[str]:
    """Cut a phrase into words; two characters are one where none are set apart."""
    if not _NO_SPACES.match(phrase):
        return phrase.split()
    return [phrase[start : start + 2] for start in range(0, len(phrase), 2)]


def padded(phrase: str) -> str:
    """Return what to look for to find whole words, where words are set apart by spaces."""
    return phrase if _NO_SPACES.match(phrase) else f" {phrase} "
