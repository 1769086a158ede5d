"""Words that name a cluster, and the prompts that show what it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.phrases import contrastive_phrases

_N_PHRASES, _N_WORDS = 3, 4
_N_READ, _LEAST_COVERED = 400, 0.1


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
    n_shown: int = 5,
) -> tuple[ClusterLabel, ...]:
    """Describe clusters 0, 1, … by phrases that set them apart and by their members.

    Names are made of `pipeline.phrases`. Where the phrases of a name occur in few of the prompts,
    a quote of the medoid says more, and is the name.
    """
    n_clusters = int(cluster_ids.max(initial=-1)) + 1
    if n_clusters == 0:
        return ()
    members = [np.flatnonzero(cluster_ids == k).tolist() for k in range(n_clusters)]
    phrases = contrastive_phrases([[texts[row] for row in rows] for rows in members])
    return tuple(
        _label_of(found, texts, vectors, rows, n_shown)
        for found, rows in zip(phrases, members, strict=True)
    )


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
    """Join two phrases, or three short ones; quote the first text if they occur in few texts."""
    short = sum(len(phrase.split()) for phrase in phrases[:_N_PHRASES]) <= _N_WORDS
    taken = phrases[: _N_PHRASES if short else _N_PHRASES - 1]
    plain = [" ".join(text.lower().split()) for text in texts[:_N_READ]]
    covered = np.mean([any(phrase in text for phrase in taken) for text in plain])
    return " · ".join(taken) if covered >= _LEAST_COVERED else f"like “{quote(texts[0])}”"


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
