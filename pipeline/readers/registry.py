"""Which format a file has, by the structure of its first records."""

from collections.abc import Sequence

from pipeline.readers import (
    conversations,
    helicone,
    inspect_log,
    langfuse,
    langsmith,
    litellm,
    lm_eval,
    openai_batch,
    openai_objects,
    pairs,
    promptfoo,
    spans,
)
from pipeline.readers.fields import Reader
from pipeline.readers.paths import Record, has_all

GENERIC = "generic"
READERS: tuple[Reader, ...] = (
    *litellm.READERS,
    *langfuse.READERS,
    *spans.READERS,
    *langsmith.READERS,
    *helicone.READERS,
    *openai_batch.READERS,
    *openai_objects.READERS,
    *lm_eval.READERS,
    *inspect_log.READERS,
    *promptfoo.READERS,
    *pairs.READERS,
    *conversations.READERS,
)
NAMES = tuple(dict.fromkeys(reader.name for reader in READERS))
_LEAST_SHARE = 0.5


def detect(records: Sequence[Record]) -> Reader | None:
    """Return the reader whose signature at least half of the records bear; None if none does.

    Where several do, the one that fits more records, then the longer signature.
    """
    ranked = [(_fit(reader, records), reader) for reader in READERS]
    best = max(ranked, key=lambda fit_and_reader: fit_and_reader[0])
    return best[1] if best[0][0] >= _LEAST_SHARE else None


def reader_named(name: str, records: Sequence[Record]) -> Reader:
    """Return the reader of a name that fits the records best."""
    named = [reader for reader in READERS if reader.name == name]
    return max(named, key=lambda reader: _fit(reader, records))


def _fit(reader: Reader, records: Sequence[Record]) -> tuple[float, int]:
    """Return the share of records that bear a signature, and the length of the longest one."""
    borne = [
        max((len(keys) for keys in reader.signatures if has_all(record, keys)), default=0)
        for record in records
    ]
    n_borne = sum(1 for length in borne if length)
    return n_borne / max(len(records), 1), max(borne, default=0)
