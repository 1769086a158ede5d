"""Text to numbers without an encoder: TF-IDF and the shape of the prompt.

The shape (length, digits, options, code marks) says how a task is posed. Sentence vectors barely
keep it, and it carries as much about which model copes as the topic does.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix, diags

from pipeline.smoothers.base import FloatArray

SHAPE_LIMIT = 4.0
"""Standardised shape features are clipped here: one huge prompt must not own a landmark."""

_OPTION = re.compile(r"(?m)^\s*\(?[A-J][.):]\s*(.*)$")
_COUNTED = tuple(
    re.compile(pattern)
    for pattern in (r"\d", r"[A-Z]", r"[^\W\d_]", r"[^\w\s]", r"[^\x00-\x7f]", r"[=+*/^<>\\$]",
                    r"[{}\[\]();_`]|\bdef |\breturn\b|\bimport ")
)  # fmt: skip
_PRESENT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:not|except|false|never|incorrect)\b",
        r"\b(?:calculate|find|compute|determine|how many|how much|what is the)\b",
        r"__",
        r"\b(?:why|explain|describe)\b",
        r'"',
        r"\bstatement",
    )
)
TERM_PATTERN = r"(?u)\w+|[^\w\s]"
"""Words of any length and single marks: "=", "$" and "a" say how a task is posed."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def _shape_of(text: str) -> list[float]:
    """Return the raw shape features of one text."""
    words = text.split()
    options = _OPTION.findall(text)
    option_lengths = [len(option) for option in options] or [0]
    option_digits = [len(_COUNTED[0].findall(o)) / (len(o) + 1) for o in options] or [0.0]
    size, n_words = len(text) + 1, len(words) + 1
    counts = [len(pattern.findall(text)) for pattern in _COUNTED]
    stem = text.find(options[0]) if options and options[0] else len(text)
    mean_option = sum(option_lengths) / len(option_lengths)
    logs = (size, n_words, text.count("\n") + 1, stem + 1, mean_option + 1, counts[4] + 1,
            counts[5] + 1, counts[6] + 1, len(_NUMBER.findall(text)) + 1, text.count("?") + 1,
            text.count(",") + 1, text.count(".") + 1)  # fmt: skip
    return [
        *np.log(logs),
        *(count / size for count in counts),
        float(len(options)),
        sum(option_digits) / len(option_digits),
        float(np.std(option_lengths)) / (mean_option + 1),
        len(text) / n_words,
        len(set(words)) / n_words,
        *(float(pattern.search(text) is not None) for pattern in _PRESENT),
    ]


@lru_cache(maxsize=4)  # quality and cost both ask for the same prompts
def measure_shape(texts: tuple[str, ...]) -> FloatArray:
    """Return raw shape features, shape (n, n_shape): logs of counts, shares and 0/1 marks.

    The array is read-only.
    """
    shape = np.array([_shape_of(text) for text in texts], dtype=np.float64)
    shape.flags.writeable = False
    return shape


@dataclass(frozen=True, kw_only=True)
class ShapeScaler:
    """Standardisation learned on the training prompts."""

    means: FloatArray
    """Shape (n_shape,)."""
    scales: FloatArray
    """Shape (n_shape,), positive; 1 where a feature is constant."""

    @classmethod
    def learn(cls, raw: FloatArray) -> "ShapeScaler":
        """Learn means and standard deviations of raw features, shape (n, n_shape)."""
        scales = raw.std(axis=0)
        return cls(means=raw.mean(axis=0), scales=np.where(scales > 1e-9, scales, 1.0))

    def scale(self, raw: FloatArray) -> FloatArray:
        """Return standardised, clipped features divided by sqrt(n_shape): distances stay O(1)."""
        scaled = np.clip((raw - self.means) / self.scales, -SHAPE_LIMIT, SHAPE_LIMIT)
        return scaled / np.sqrt(scaled.shape[1])


@dataclass(frozen=True, kw_only=True)
class TfidfConfig:
    """How texts become sparse unit vectors."""

    max_ngram: int = 3
    """Longest word n-gram."""
    min_n_prompts: int = 2
    """Terms in fewer training prompts are dropped."""
    max_n_terms: int = 30_000
    """The most frequent terms are kept."""


@dataclass(frozen=True, kw_only=True)
class Tfidf:
    """Frozen vocabulary and inverse document frequencies."""

    terms: tuple[str, ...]
    """Length n_terms, sorted: column j counts ``terms[j]``."""
    idf: FloatArray
    """Shape (n_terms,)."""
    max_ngram: int
    """Longest word n-gram in `terms`."""

    def transform(self, texts: tuple[str, ...]) -> csr_matrix:
        """Return unit rows of (1 + log count) * idf, shape (n, n_terms); a zero row if no term."""
        if not self.terms:
            return csr_matrix((len(texts), 0), dtype=np.float64)
        from sklearn.preprocessing import normalize  # noqa: PLC0415 - slow to load

        counts = _count_terms(texts, self.terms, self.max_ngram)
        return csr_matrix(normalize(counts @ diags(self.idf)))


@lru_cache(maxsize=2)  # two members of the stack read the same words
def _count_terms(texts: tuple[str, ...], terms: tuple[str, ...], max_ngram: int) -> csr_matrix:
    """Return 1 + log count of each term, 0 where absent, shape (n, n_terms); not to be changed."""
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 - slow to load

    counter = CountVectorizer(
        ngram_range=(1, max_ngram),
        token_pattern=TERM_PATTERN,
        vocabulary={term: column for column, term in enumerate(terms)},
    )
    counts = counter.transform(texts).astype(np.float64)
    counts.data = 1.0 + np.log(counts.data)
    return csr_matrix(counts)


@lru_cache(maxsize=2)
def learn_tfidf(texts: tuple[str, ...], config: TfidfConfig) -> Tfidf:
    """Learn vocabulary and inverse document frequencies, log((1 + n) / (1 + df)) + 1.

    Terms are kept by falling document frequency, then alphabet, so row order is irrelevant.
    """
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 - slow to load

    counter = CountVectorizer(ngram_range=(1, config.max_ngram), token_pattern=TERM_PATTERN)
    analyse = counter.build_analyzer()
    n_prompts_with: Counter[str] = Counter()
    for text in texts:
        n_prompts_with.update(set(analyse(text)))
    frequent = [item for item in n_prompts_with.items() if item[1] >= config.min_n_prompts]
    frequent.sort(key=lambda item: (-item[1], item[0]))
    kept = dict(sorted(frequent[: config.max_n_terms]))
    counts = np.array(list(kept.values()), dtype=np.float64)
    idf = np.log((1.0 + len(texts)) / (1.0 + counts)) + 1.0
    return Tfidf(terms=tuple(kept), idf=idf, max_ngram=config.max_ngram)
