"""Words that name a cluster, and the prompts that show what it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.contrast import Fit, common_phrases, contrastive_phrases
from pipeline.phrases import PhraseTable
from pipeline.prototypes import prototypes_of

EncodeTexts = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to unit vectors, shape (n, n_dims)."""
_N_PHRASES, _N_WORDS = 3, 4
_N_READ, _LEAST_COVERED, _WELL_COVERED = 400, 0.1, 0.8


@dataclass(frozen=True, kw_only=True)
class ClusterLabel:
    """What a person sees of a cluster before naming it."""

    name: str
    """Two or three contrastive phrases, or a quote where they do not tell what the cluster is."""
    phrases: tuple[str, ...]
    """Candidates for a name, best first."""
    medoid: int
    """Row of the most central member."""
    exemplars: tuple[int, ...]
    """Rows of the most central members, best first."""
    border: tuple[int, ...]
    """Rows of the least central members, farthest first."""
    cohesion: float
    """Mean cosine of members to the prototype, in [-1, 1]."""


def label_clusters(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    cluster_ids: NDArray[np.int64],
    *,
    encode: EncodeTexts | None = None,
    n_shown: int = 5,
) -> tuple[ClusterLabel, ...]:
    """Describe clusters 0, 1, … by phrases that set them apart and by their members.

    Names are made of `pipeline.phrases`. Where the phrases of a name occur in few of the prompts,
    a quote of the medoid says more, and is the name.

    Parameters
    ----------
    encode
        The encoder of the vectors, to prefer phrases that mean what their cluster is about
        (after KeyBERT, Grootendorst 2020); None: phrases go by their counts alone.
    """
    members = _members_of(cluster_ids)
    table = PhraseTable.of([[texts[row] for row in rows] for rows in members])
    prototypes = prototypes_of(vectors, cluster_ids, len(members))
    phrases = contrastive_phrases(table, fit=_fit_to(prototypes, encode))
    return tuple(
        _label_of(found, texts, vectors, rows, n_shown)
        for found, rows in zip(phrases, members, strict=True)
    )


def name_groups_of(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    cluster_ids: NDArray[np.int64],
    labels: Sequence[ClusterLabel],
    levels: Sequence[NDArray[np.int64]],
    *,
    encode: EncodeTexts | None = None,
) -> list[list[str]]:
    """Name groups of clusters by what most of their clusters share, or by the largest of them.

    Parameters
    ----------
    levels
        For each level the group of each cluster, shape (n_clusters,): 0, 1, …

    Returns
    -------
    list
        For each level the names of its groups, no two alike; a group of one cluster has its name.
    """
    members = _members_of(cluster_ids)
    table = PhraseTable.of([[texts[row] for row in rows] for rows in members])
    prototypes = prototypes_of(vectors, cluster_ids, len(members))
    named = []
    for group_of in levels:
        families = _members_of(group_of)
        centres = np.array([prototypes[own].mean(axis=0) for own in families])
        common = common_phrases(table, families, fit=_fit_to(centres, encode))
        found = [
            _group_name(
                phrases, [labels[k] for k in own], [texts[r] for k in own for r in members[k]]
            )
            for phrases, own in zip(common, families, strict=True)
        ]
        named.append(unlike_names(found))
    return named


def _members_of(ids: NDArray[np.int64]) -> list[list[int]]:
    return [np.flatnonzero(ids == k).tolist() for k in range(int(ids.max(initial=-1)) + 1)]


def _fit_to(centres: NDArray[np.floating], encode: EncodeTexts | None) -> Fit | None:
    """Return the cosine of phrases with what sets their group's centre apart from the mean one."""
    if encode is None or not len(centres):
        return None
    apart = centres - centres.mean(axis=0) if len(centres) > 1 else centres
    apart = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-12)

    def fit(phrases: Sequence[Sequence[str]]) -> list[NDArray[np.floating]]:
        every = sorted({phrase for of_group in phrases for phrase in of_group})
        if not every:
            return [np.zeros(0) for _ in phrases]
        place, vectors = {phrase: row for row, phrase in enumerate(every)}, encode(every)
        rows = [[place[phrase] for phrase in of_group] for of_group in phrases]
        return [vectors[own] @ centre for own, centre in zip(rows, apart, strict=True)]

    return fit


def _group_name(
    phrases: tuple[str, ...], labels: Sequence[ClusterLabel], texts: Sequence[str]
) -> str:
    if len(labels) == 1:
        return labels[0].name
    shared = _joined(phrases, texts)
    if shared is not None:
        return shared
    leads = [label.phrases[0] if label.phrases else label.name for label in labels]
    shown, rest = leads[:_N_PHRASES], len(leads) - _N_PHRASES
    return ", ".join(dict.fromkeys(shown)) + (f" and {rest} more" if rest > 0 else "")


def _label_of(
    phrases: tuple[str, ...],
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    members: Sequence[int],
    n_shown: int,
) -> ClusterLabel:
    mean = vectors[members].mean(axis=0)
    prototype = mean / max(float(np.linalg.norm(mean)), 1e-12)
    closeness = vectors[members] @ prototype
    order = [members[place] for place in np.argsort(-closeness, kind="stable")]
    return ClusterLabel(
        name=_name(phrases, [str(texts[row]) for row in order]),
        phrases=phrases,
        medoid=order[0],
        exemplars=tuple(order[:n_shown]),
        border=tuple(order[::-1][:n_shown]),
        cohesion=float(closeness.mean()),
    )


def _name(phrases: Sequence[str], texts: Sequence[str]) -> str:
    """Join phrases; quote the first text if they occur in few texts."""
    return _joined(phrases, texts) or f"like “{quote(texts[0])}”"


def _joined(phrases: Sequence[str], texts: Sequence[str]) -> str | None:
    """Join two phrases, or three short ones; None if they occur in few texts.

    Where those before are in most texts and more than a word, a phrase that is in less than half as
    many as the first one adds nothing.
    """
    plain = [" ".join(text.lower().split()) for text in texts[:_N_READ]]
    covered, taken = np.zeros(len(plain), dtype=bool), []
    least = 0.0
    for phrase in phrases[:_N_PHRASES]:
        held = np.array([phrase in text for text in plain], dtype=bool)
        n_words = sum(len(one.split()) for one in taken)
        is_short = len(taken) < _N_PHRASES - 1 or n_words + len(phrase.split()) <= _N_WORDS
        is_open = covered.mean() < _WELL_COVERED or held.mean() >= least or n_words < 2
        if is_short and is_open:
            taken.append(phrase)
            covered |= held
            least = least or held.mean() / 2.0
    return " · ".join(taken) if taken and covered.mean() >= _LEAST_COVERED else None


def quote(text: str, *, longest: int = 60) -> str:
    r"""Return the beginning of a text in one line, without control characters.

    >>> quote("Is it\tso?\nSay why, briefly.", longest=12)
    'Is it so? S…'
    """
    printable = "".join(char if char.isprintable() else " " for char in text[: 20 * longest])
    line = " ".join(printable.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def unlike_names(names: Sequence[str]) -> list[str]:
    """Return the names, with a number after those that another one had before.

    >>> unlike_names(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    return [
        name if n == 1 else f"{name} ({n})"
        for place, name in enumerate(names)
        for n in [names[: place + 1].count(name)]
    ]
