"""A published table with all that a projection may need."""

from collections.abc import Callable
from dataclasses import replace

from pipeline.config import AssignConfig
from pipeline.embed import Encoder
from pipeline.exports.exemplars import exemplar_rows, least_likeness
from pipeline.exports.label_map import LabelMap, label_map
from pipeline.flows.tables import load_model
from pipeline.flows.training import read_training_data
from pipeline.store import Store
from profiles.errors import UsageError
from profiles.tables import BUCKETS, TABLE_ENTRIES


def read_label_map(store: Store, version: int | None) -> LabelMap:
    """Return a table without any prompt; without a version, the current one."""
    meta, model = load_model(store, version)
    table = label_map(
        store.read(BUCKETS, table_version=model.table_version),
        store.read(TABLE_ENTRIES, table_version=model.table_version),
        table_version=model.table_version,
    )
    name = str(meta["encoder_id"]).split(":", 1)[0]
    chain = model.terms.limits.fallback or (model.terms.reference,)
    return replace(
        table,
        assigner=model.assigner,
        encoder_name=name,
        last_resort=tuple(model.model_ids[column] for column in chain),
    )


def with_exemplars(
    table: LabelMap, store: Store, encoder: Encoder, mask: Callable[[str], str]
) -> LabelMap:
    """Return the table with prompts that stand for each domain, each passed through `mask`.

    Raises
    ------
    UsageError
        If a domain of the table has no prompt any more.
    """
    data = read_training_data(store, encoder)
    rows = exemplar_rows(data.vectors, data.domain_of)
    texts = {
        domain_id: tuple(dict.fromkeys(mask(data.texts[row]) for row in members))
        for domain_id, members in zip(data.domains["domain_id"], rows, strict=False)
    }
    share = AssignConfig().rejected_share
    likeness = least_likeness(data.vectors, data.domain_of, rows, rejected_share=share)
    thresholds = dict(zip(data.domains["domain_id"], likeness, strict=False))
    wanted = list(table.chains)[:-1]
    missing = [table.names[domain_id] for domain_id in wanted if not texts.get(domain_id)]
    if missing:
        raise UsageError(
            f"Table {table.table_version} has domains without prompts now: {', '.join(missing)}. "
            "Build a new table."
        )
    return replace(
        table,
        exemplars={domain_id: texts[domain_id] for domain_id in wanted},
        thresholds={domain_id: thresholds[domain_id] for domain_id in wanted},
    )
