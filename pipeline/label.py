"""Words that name a cluster, and the prompts that show what it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_N_PHRASES_IN_NAME = 2
_N_CANDIDATES = 6
_WORD = r"(?u)\b[^\W\d_][\w'+#-]*[\w+#]\b"


@dataclass(frozen=True, kw_only=True)
class ClusterLabel:
    """What a person sees of a cluster before naming it."""

    name: str
    """Two contrastive phrases, or `unnamed` where no phrase sets the cluster apart."""
    phrases: tuple[str, ...]
    """Further candidates, best first."""
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

    A phrase scores by the share of the cluster's prompts that hold it times the log of how much
    more often than in the other clusters it occurs (class-based TF-IDF, after Grootendorst 2022,
    arXiv 2203.05794, on prompt counts, so that one long prompt does not name a cluster).
    """
    n_clusters = int(cluster_ids.max(initial=-1)) + 1
    if n_clusters == 0:
        return ()
    phrases = _contrastive_phrases(texts, cluster_ids, n_clusters)
    return tuple(
        _label_of(phrases[k], vectors, np.flatnonzero(cluster_ids == k), n_shown)
        for k in range(n_clusters)
    )


def _label_of(
    phrases: tuple[str, ...], vectors: NDArray[np.float32], members: NDArray[np.intp], n_shown: int
) -> ClusterLabel:
    mean = vectors[members].mean(axis=0)
    prototype = mean / max(float(np.linalg.norm(mean)), 1e-12)
    closeness = vectors[members] @ prototype
    order = members[np.argsort(-closeness, kind="stable")]
    return ClusterLabel(
        name=" · ".join(phrases[:_N_PHRASES_IN_NAME]) or "unnamed",
        phrases=phrases,
        medoid=int(order[0]),
        exemplars=tuple(int(row) for row in order[:n_shown]),
        border=tuple(int(row) for row in order[::-1][:n_shown]),
        cohesion=float(closeness.mean()),
    )


def _contrastive_phrases(
    texts: Sequence[str], cluster_ids: NDArray[np.int64], n_clusters: int
) -> list[tuple[str, ...]]:
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 - slow to load

    counter = CountVectorizer(
        binary=True,
        ngram_range=(1, 3),
        stop_words="english",
        token_pattern=_WORD,
        min_df=2,
        max_features=50_000,
    )
    try:
        presence = counter.fit_transform([text[:4_000] for text in texts])
    except ValueError:  # no word occurs twice
        return [()] * n_clusters
    words = counter.get_feature_names_out()
    shares = _shares_by_cluster(sp.csr_array(presence), cluster_ids, n_clusters)
    return [_pick(words, score) for score in _contrast(shares)]


def _shares_by_cluster(
    presence: sp.csr_array, cluster_ids: NDArray[np.int64], n_clusters: int
) -> NDArray[np.float64]:
    """Return, per cluster and phrase, the share of its prompts that hold the phrase."""
    rows = np.flatnonzero(cluster_ids >= 0)
    members = sp.csr_array(
        (np.ones(len(rows)), (cluster_ids[rows], rows)), shape=(n_clusters, len(cluster_ids))
    )
    sizes = np.asarray(members.sum(axis=1)).ravel()
    return sp.csr_array(members @ presence).toarray() / np.maximum(sizes, 1.0)[:, None]


def _contrast(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh phrases down that any one other cluster also holds, such as a template's words."""
    n_clusters = len(shares)
    if n_clusters == 1:
        return shares
    others = (shares.sum(axis=0) - shares) / (n_clusters - 1)
    largest, second = -np.sort(-shares, axis=0)[:2]
    rival = np.where(shares == largest, second, largest)
    distinct = shares / (shares + rival + 1e-9)
    return shares * np.log((shares + 0.01) / (others + 0.01)) * distinct


def _pick(words: NDArray[np.str_], score: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the best phrases, none sharing a word with one already taken."""
    longer_first = score * (1.0 + 0.25 * np.char.count(words.astype(str), " "))
    taken: list[str] = []
    seen: set[str] = set()
    for index in np.argsort(-longer_first, kind="stable")[:200]:
        phrase = str(words[index])
        if score[index] <= 0.0 or len(taken) == _N_CANDIDATES:
            break
        if seen.isdisjoint(phrase.split()):
            taken.append(phrase)
            seen.update(phrase.split())
    return tuple(taken)
