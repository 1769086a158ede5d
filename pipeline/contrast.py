"""The phrases that set groups of texts apart, and those that several groups have in common."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.phrases import Group, PhraseTable, joined_words, padded

_SMOOTHING = 0.01
_N_LOOKED_AT = 40
_HELD_SHARE, _LEAST_BREADTH = 0.05, 0.5
_PART_OF_LONGER = 0.7
_STEM = 5
Fit = Callable[[Sequence[Sequence[str]]], Sequence[NDArray[np.floating]]]
"""Phrases of each group to how well each suits the group, 1 at best."""


def contrastive_phrases(
    table: PhraseTable, *, fit: Fit | None = None, n_phrases: int = 8
) -> list[tuple[str, ...]]:
    """Return for each group of texts the phrases that set it apart, best first.

    A phrase scores by the share s of the group's texts that hold it, times the log of how much
    more often than in the other groups together it occurs (class-based TF-IDF, after Grootendorst
    2022, arXiv 2203.05794), times the square of s / (s + r), r being its share in the one other
    group that has it most, times the square of its fit. After the first, what a phrase adds to the
    texts that hold one counts.

    Returns
    -------
    list
        Of each group at most `n_phrases`, in lower case, none sharing a word with another; none
        where no phrase sets the group apart.
    """
    scores = _fitting(table, _contrast(table.shares) * table.form, fit)
    return [
        _pick(table.phrases, scores[row], table.shares[row], group, n_phrases)
        for row, group in enumerate(table.groups)
    ]


def common_phrases(
    table: PhraseTable,
    members: Sequence[Sequence[int]],
    *,
    fit: Fit | None = None,
    n_phrases: int = 8,
) -> list[tuple[str, ...]]:
    """Return for each family of groups the phrases that most of its groups share, best first.

    As `contrastive_phrases`, with shares averaged over the groups of the family and compared with
    those of the groups outside it, times the share of its groups that hold the phrase in a
    twentieth of their texts, which is at least a half.

    Parameters
    ----------
    members
        Rows of the groups of each family.
    """
    scores = np.zeros((len(members), len(table.phrases)))
    shares = np.zeros_like(scores)
    for row, own in enumerate(members):
        others = np.delete(table.shares, list(own), axis=0)
        shares[row] = table.shares[list(own)].mean(axis=0)
        breadth = (table.shares[list(own)] >= _HELD_SHARE).mean(axis=0)
        contrast = _contrast(np.vstack([shares[row], others]))[0]
        scores[row] = contrast * np.where(breadth >= _LEAST_BREADTH, breadth, 0.0)
    scores = _fitting(table, scores * table.form, fit)
    texts = [
        Group(texts=tuple(text for group in own for text in table.groups[group].texts))
        for own in members
    ]
    return [
        _pick(table.phrases, scores[row], shares[row], texts[row], n_phrases)
        for row in range(len(members))
    ]


def _fitting(
    table: PhraseTable, scores: NDArray[np.float64], fit: Fit | None
) -> NDArray[np.float64]:
    """Weigh the best phrases of each row by their fit; the others get 0."""
    if fit is None or not scores.size:
        return scores
    best = [np.argsort(-row, kind="stable")[:_N_LOOKED_AT] for row in scores]
    best = [columns[row[columns] > 0.0] for columns, row in zip(best, scores, strict=True)]
    weighed = np.zeros_like(scores)
    suits = fit([[table.phrases[column] for column in columns] for columns in best])
    for row, (columns, suit) in enumerate(zip(best, suits, strict=True)):
        weighed[row, columns] = scores[row, columns] * np.maximum(suit, 0.0) ** 2
    return weighed


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


def _pick(
    phrases: Sequence[str],
    score: NDArray[np.float64],
    share: NDArray[np.float64],
    group: Group,
    n_phrases: int,
) -> tuple[str, ...]:
    best = [int(column) for column in np.argsort(-score, kind="stable")[:_N_LOOKED_AT]]
    best = [column for column in best if score[column] > 0.0]
    whole = [c for c in best if not _is_part(c, best, phrases, score, share)]
    texts = [" ".join(joined_words(clause).join("  ") for clause in text) for text in group.texts]
    held = {c: np.array([padded(phrases[c]) in text for text in texts]) for c in whole}
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
    phrase = padded(phrases[column])
    return any(
        c != column
        and phrase in f" {phrases[c]} "
        and share[c] >= _PART_OF_LONGER * share[column]
        and score[c] >= score[column]
        for c in among
    )


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
