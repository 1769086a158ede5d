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
_SMOOTHING = 0.01
_N_LOOKED_AT = 40
_PART_OF_LONGER = 0.7
_STEM = 5
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
class _Group:
    """The texts of one group, cut into clauses of words."""

    texts: tuple[tuple[tuple[str, ...], ...], ...]

    def clause_counts(self) -> Counter[tuple[str, ...]]:
        return Counter(clause for text in self.texts for clause in set(text))

    def without(self, clauses: frozenset[tuple[str, ...]]) -> "_Group":
        """Leave these clauses out, but of no text all of them."""
        kept = (tuple(c for c in text if c not in clauses) or text for text in self.texts)
        return _Group(texts=tuple(kept))


def contrastive_phrases(
    groups: Sequence[Sequence[str]], *, n_phrases: int = 8
) -> list[tuple[str, ...]]:
    """Return for each group of texts the phrases that set it apart, best first.

    A phrase scores by the share s of the group's texts that hold it, times the log of how much
    more often than in the other groups together it occurs (class-based TF-IDF, after Grootendorst
    2022, arXiv 2203.05794), times the square of s / (s + r), r being its share in the one other
    group that has it most. After the first, what a phrase adds to the texts that hold one counts.

    Parameters
    ----------
    groups
        Texts of one kind each.

    Returns
    -------
    list
        Of each group at most `n_phrases`, in lower case, none sharing a word with another; none
        where no phrase sets the group apart.
    """
    cut = [_Group(texts=tuple(_clauses(text) for text in group[:_N_TEXTS])) for group in groups]
    templates = _shared_clauses(cut)
    read = [group.without(templates) for group in cut]
    stops = _stop_words(read)
    counted = [_phrase_shares(group, stops) for group in read]
    words = sorted(set().union(*counted)) if counted else []
    place = {phrase: column for column, phrase in enumerate(words)}
    shares = np.zeros((len(counted), len(words)))
    for row, found in enumerate(counted):
        for phrase, share in found.items():
            shares[row, place[phrase]] = share
    scores = _contrast(shares) * _form(words, stops)
    return [
        _pick(words, scores[row], shares[row], group, n_phrases) for row, group in enumerate(read)
    ]


def _clauses(text: str) -> tuple[tuple[str, ...], ...]:
    head = text[: 2 * _N_CHARACTERS // 3]
    tail = text[len(head) :][-_N_CHARACTERS // 3 :]
    parts = (_COMMAND.sub(" ", part) for part in (head, tail))
    cut = (_TOKEN.findall(clause) for part in parts for clause in _CLAUSE.split(part))
    return tuple(
        tuple(word.lower().replace("\u2019", "'") for word in clause) for clause in cut if clause
    )


def _shared_clauses(groups: Sequence[_Group]) -> frozenset[tuple[str, ...]]:
    """Return the clauses that a tenth of the texts of several groups hold word for word."""
    n_groups: Counter[tuple[str, ...]] = Counter()
    for group in groups:
        least = max(2.0, _TEMPLATE_SHARE * len(group.texts))
        n_groups.update(c for c, count in group.clause_counts().items() if count >= least)
    return frozenset(clause for clause, n in n_groups.items() if n >= _TEMPLATE_GROUPS)


def _stop_words(groups: Sequence[_Group]) -> frozenset[str]:
    """Return English stop words, and what over half of many groups say in any language."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # noqa: PLC0415 - slow to load

    n_groups: Counter[str] = Counter()
    for group in groups:
        held = Counter(word for text in group.texts for word in {w for c in text for w in c})
        n_groups.update(word for word, n in held.items() if n > 0.1 * len(group.texts))
    common = {word for word, n in n_groups.items() if n > max(3, len(groups) / 2)}
    return frozenset(ENGLISH_STOP_WORDS.union(_AUXILIARIES.split(), common))


def _phrase_shares(group: _Group, stops: frozenset[str]) -> dict[str, float]:
    counts = Counter(p for text in group.texts for p in set(_phrases(text, stops)))
    least = max(2.0, _LEAST_SHARE * len(group.texts))
    return {phrase: n / len(group.texts) for phrase, n in counts.items() if n >= least}


def _phrases(text: Sequence[Sequence[str]], stops: frozenset[str]) -> Iterator[str]:
    for clause in text:
        ends = [_is_content(word, stops) for word in clause]
        for start in np.flatnonzero(ends).tolist():
            for stop in range(start, min(start + _LONGEST, len(clause))):
                if ends[stop]:
                    phrase = _joined(clause[start : stop + 1])
                    if len(phrase) > 1:
                        yield phrase


def _is_content(word: str, stops: frozenset[str]) -> bool:
    long_enough = len(word) > 1 or _NO_SPACES.match(word) is not None
    return long_enough and word not in stops and not word.isdigit()


def _joined(words: Sequence[str]) -> str:
    return ("" if all(map(_NO_SPACES.match, words)) else " ").join(words)


def _contrast(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    n_groups = len(shares)
    if n_groups < 2:
        return shares
    others = (shares.sum(axis=0) - shares) / (n_groups - 1)
    largest, second = -np.sort(-shares, axis=0)[:2]
    rival = np.where(shares == largest, second, largest)
    distinct = shares / np.maximum(shares + rival, 1e-9)
    lift = np.log((shares + _SMOOTHING) / (others + _SMOOTHING))
    return shares * lift * distinct**2


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


def _pick(
    phrases: Sequence[str],
    score: NDArray[np.float64],
    share: NDArray[np.float64],
    group: _Group,
    n_phrases: int,
) -> tuple[str, ...]:
    best = [int(column) for column in np.argsort(-score, kind="stable")[:_N_LOOKED_AT]]
    best = [column for column in best if score[column] > 0.0]
    whole = [c for c in best if not _is_part(c, best, phrases, score, share)]
    texts = [" ".join(_joined(clause).join("  ") for clause in text) for text in group.texts]
    held = {c: np.array([_padded(phrases[c]) in text for text in texts]) for c in whole}
    taken: list[int] = []
    covered = np.zeros(len(texts), dtype=bool)
    while whole and len(taken) < n_phrases:
        gain = {c: score[c] * (0.75 + 0.25 * _new_part(held[c], covered)) for c in whole}
        chosen = max(whole, key=lambda c: gain[c])
        taken.append(chosen)
        covered |= held[chosen]
        whole = [c for c in whole if not _share_a_word(phrases[c], phrases[chosen])]
    return tuple(phrases[c] for c in taken)


def _is_part(
    column: int,
    among: Sequence[int],
    phrases: Sequence[str],
    score: NDArray[np.float64],
    share: NDArray[np.float64],
) -> bool:
    """Tell whether most of a phrase's texts have it inside one longer and better phrase."""
    phrase = _padded(phrases[column])
    return any(
        c != column
        and phrase in f" {phrases[c]} "
        and share[c] >= _PART_OF_LONGER * share[column]
        and score[c] >= score[column]
        for c in among
    )


def _padded(phrase: str) -> str:
    """Return what to look for to find whole words, where words are set apart by spaces."""
    return phrase if _NO_SPACES.match(phrase) else f" {phrase} "


def _new_part(held: NDArray[np.bool_], covered: NDArray[np.bool_]) -> float:
    return float((held & ~covered).sum() / max(held.sum(), 1))


def _share_a_word(one: str, other: str) -> bool:
    """Tell whether two phrases have a word in common, or forms of one: book and booking."""
    return any(
        a[:_STEM] == b[:_STEM] or (min(len(a), len(b)) >= _STEM - 1 and _begins(a, b))
        for a in one.split()
        for b in other.split()
    )


def _begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
