"""What every projection of a routing table is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl
import yaml

from pipeline.assign import Assigner
from pipeline.ranking import BEYOND
from profiles.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """A published table, ready to be written in any format."""

    table_version: int
    chains: Mapping[str, tuple[str, ...]]
    """For each domain id, and `unassigned`: models, the chosen one first, then fallbacks."""
    entries: pl.DataFrame
    """TABLE_ENTRIES rows joined with `domain_id` and `name`, by bucket and rank; none of a model
    that is beyond a limit of the policy there."""
    assigner: Assigner | None = None
    """Of formats that carry vectors; its rows are the domains of `chains`."""
    encoder_name: str = ""
    last_resort: tuple[str, ...] = ()
    """Who answers a mixture of domains in which no model keeps the limits."""
    exemplars: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By domain id, prompts that stand for it; empty unless they were asked for."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """By domain id, the least cosine of a prompt to the nearest of these."""

    @property
    def names(self) -> dict[str, str]:
        """Return the name of each domain by its id."""
        return dict(self.entries.select("domain_id", "name").iter_rows())

    @property
    def models(self) -> list[str]:
        """Return every model of every chain, sorted."""
        return sorted({model for chain in self.chains.values() for model in chain})


Contents = Mapping[str, str | bytes]
"""By file name."""


@dataclass(frozen=True, kw_only=True)
class Projection:
    """One format."""

    write: Callable[[LabelMap], Contents]
    loses: str
    """What the format cannot say, in a sentence."""
    exemplars: str | None = None
    """Null: it has no place for prompts. `may` take them, or `must` have them."""


def label_map(buckets: pl.DataFrame, entries: pl.DataFrame, *, table_version: int) -> LabelMap:
    """Return what projections need of one table version's BUCKETS and TABLE_ENTRIES rows."""
    allowed = entries.filter(pl.col("reason").ne_missing(BEYOND))
    named = allowed.sort("bucket", "rank").join(
        buckets.select("bucket", "domain_id", "name"), on="bucket", maintain_order="left"
    )
    chains = named.group_by("domain_id", maintain_order=True).agg("model_id").iter_rows()
    return LabelMap(
        table_version=table_version,
        chains={domain_id: tuple(models) for domain_id, models in chains},
        entries=named,
    )


def require_assigner(table: LabelMap) -> Assigner:
    """Return the assigner.

    Raises
    ------
    UsageError
        If the table has no domain to assign to.
    """
    if table.assigner is None or not len(table.assigner.weights):
        raise UsageError("The table has no approved domain, so there is nothing to choose between.")
    return table.assigner


def as_yaml(value: object, table: LabelMap, how: str) -> str:
    """Return YAML under a line that says which table it is and how it is meant."""
    head = f"# Promptshed routing table {table.table_version}. {how}\n"
    return head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
