"""What a routing table is expected to do, beside every single model: read off its own cells.

These numbers come from the prompts the table was built on. `pipeline.evaluate` measures.
"""

from dataclasses import dataclass

import polars as pl

from profiles.interval import Z_95

THIS_TABLE = "this table"


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A table as one choice among others."""

    n_prompts: int
    """Training prompts over all buckets: the weights of the means."""
    shares: pl.DataFrame
    """model_id, n_prompts and share in [0, 1], by falling share."""
    options: pl.DataFrame
    """One row for the table (`option` is `THIS_TABLE`, model_id null) and one for each model used
    everywhere: quality, cost_usd per prompt, cost_ratio to the reference model, and advantage over
    it with a 95 % interval; null where a bucket's number is unknown."""
    reference_model_id: str

    def option(self, name: str) -> dict[str, float | None]:
        """Return the numbers of one option, by its name."""
        return self.options.filter(option=name).row(0, named=True)


def expect(buckets: pl.DataFrame, entries: pl.DataFrame, *, reference_model_id: str) -> Expectation:
    """Sum up the rows of one table version.

    Each bucket takes its first choice and weighs as many prompts as it was built on. Intervals
    treat the buckets as independent.
    """
    cells = entries.join(buckets.select("bucket", n_prompts="n_prompts"), on="bucket")
    total = int(buckets["n_prompts"].sum())
    chosen = cells.filter(pl.col("rank") == 1)
    shares = (
        chosen.group_by("model_id")
        .agg(pl.col("n_prompts").sum())
        .with_columns(share=pl.col("n_prompts") / max(total, 1))
        .sort(["share", "model_id"], descending=[True, False])
    )
    whole = chosen.with_columns(option=pl.lit(THIS_TABLE), model_id=pl.lit(None, dtype=pl.String))
    everywhere = cells.with_columns(option=pl.col("model_id"))
    options = (
        pl.concat([whole, everywhere])
        .group_by("option", "model_id")
        .agg(**_means(buckets.height))
        .sort(pl.col("option") != THIS_TABLE, "option")
    )
    reference_cost = options.filter(model_id=reference_model_id)["cost_usd"]
    return Expectation(
        n_prompts=total,
        shares=shares,
        options=options.with_columns(
            cost_ratio=pl.col("cost_usd") / (reference_cost.item() if len(reference_cost) else None)
        ),
        reference_model_id=reference_model_id,
    )


def cheapest_model(expectation: Expectation) -> str | None:
    """Return the single model with the lowest expected cost; None where no cost is known."""
    singles = expectation.options.filter(
        pl.col("model_id").is_not_null() & pl.col("cost_usd").is_not_null()
    )
    return None if singles.is_empty() else str(singles.sort("cost_usd", "model_id")["model_id"][0])


def _means(n_buckets: int) -> dict[str, pl.Expr]:
    weight = pl.col("n_prompts") / pl.col("n_prompts").sum()
    half = (pl.col("advantage_hi") - pl.col("advantage_lo")) / 2.0
    spread = Z_95 * (weight * half / Z_95).pow(2).sum().sqrt()
    advantage = (weight * pl.col("advantage")).sum()
    return {
        "quality": _known("quality", n_buckets, (weight * pl.col("quality")).sum()),
        "cost_usd": _known("cost_usd", n_buckets, (weight * pl.col("cost_usd")).sum()),
        "advantage": _known("advantage", n_buckets, advantage),
        "advantage_lo": _known("advantage_lo", n_buckets, advantage - spread),
        "advantage_hi": _known("advantage_hi", n_buckets, advantage + spread),
    }


def _known(column: str, n_buckets: int, mean: pl.Expr) -> pl.Expr:
    """Null unless every bucket has a number: a mean over some buckets would mislead."""
    return pl.when(pl.col(column).is_not_null().sum() == n_buckets).then(mean)
