"""What the log itself did, where it says which one model each prompt was sent to."""

from dataclasses import dataclass

import polars as pl

from pipeline.store import Store
from profiles.interval import Z_95


@dataclass(frozen=True, kw_only=True)
class Present:
    """The choices that were in use when the log was written."""

    n_prompts: int
    """Prompts with an outcome that one model alone has answered."""
    n_compared: int
    """Prompts with outcomes of several models: a comparison, and no choice that was in use."""
    n_known: int
    """Requests of the first kind with a known quality."""
    quality: float | None
    """Mean over them; null where none is known, as every number here."""
    quality_lo: float | None
    quality_hi: float | None
    n_cost: int
    """Requests of the first kind with a known cost."""
    cost_usd: float | None
    """Mean over these."""
    shares: pl.DataFrame
    """model_id and its share of the requests in [0, 1], by falling share."""

    @property
    def is_single(self) -> bool:
        """Tell whether most prompts went to one model, so that the log shows choices in use."""
        return self.n_prompts > self.n_compared


def read_present(store: Store) -> Present:
    """Return what the requests of the log did, each request counted once."""
    with store.reading():
        calls = store.query(
            "WITH asked AS (SELECT prompt_id, count(DISTINCT model_id) = 1 AS alone "
            "FROM outcomes GROUP BY prompt_id) "
            "SELECT model_id, alone, count(*) AS n_calls, count(DISTINCT prompt_id) AS n_prompts, "
            "count(quality) AS n_known, sum(quality) AS quality, "
            "sum(quality * quality) AS squares, count(cost_usd) AS n_cost, sum(cost_usd) AS cost "
            "FROM outcomes JOIN asked USING (prompt_id) GROUP BY ALL ORDER BY model_id"
        )
        n_compared = store.query(
            "SELECT count(*) AS n FROM (SELECT prompt_id FROM outcomes GROUP BY prompt_id "
            "HAVING count(DISTINCT model_id) > 1)"
        )["n"].item()
    own = calls.filter("alone")
    names = ("n_known", "quality", "squares", "n_cost", "cost")
    n, total, squares, n_cost, cost = (float(own[name].sum()) for name in names)
    mean = total / n if n else None
    half = None
    if mean is not None and n > 1:
        half = Z_95 * (max(squares - n * mean**2, 0.0) / (n - 1) / n) ** 0.5
    return Present(
        n_prompts=int(own["n_prompts"].sum()),
        n_compared=int(n_compared),
        n_known=int(n),
        quality=mean,
        quality_lo=None if mean is None or half is None else mean - half,
        quality_hi=None if mean is None or half is None else mean + half,
        n_cost=int(n_cost),
        cost_usd=cost / n_cost if n_cost else None,
        shares=own.select("model_id", share=pl.col("n_calls") / pl.col("n_calls").sum()).sort(
            ["share", "model_id"], descending=[True, False]
        ),
    )
