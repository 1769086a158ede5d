"""Route: texts to receipts by a published table, within a budget if there is one."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipeline.budget import Ledger, Spending
from pipeline.embed import Encoder
from pipeline.flows.encoding import vectors_of
from pipeline.flows.tables import load_model
from pipeline.prompt_text import prompt_id_of
from pipeline.store import Store
from pipeline.table import Judged, RoutingModel, receipts
from profiles.errors import UsageError


def decider(
    store: Store, encoder: Encoder, version: int | None = None
) -> Callable[[list[str]], pl.DataFrame]:
    """Return a function from texts to RECEIPT rows, by the current table or the one named."""
    return load_router(store, encoder, version).decide


def load_router(store: Store, encoder: Encoder, version: int | None = None) -> "Router":
    """Load the current table, or the one named.

    Raises
    ------
    UsageError
        If the table was built with another encoder.
    """
    meta, model = load_model(store, version)
    if meta["encoder_id"] != encoder.encoder_id:
        raise UsageError(
            f"Table {model.table_version} was built with the encoder {meta['encoder_id']}, not "
            f"{encoder.encoder_id}. Name the same one with --encoder, or build a new table."
        )
    return Router(store=store, encoder=encoder, model=model)


@dataclass(frozen=True, kw_only=True)
class Router:
    """A table version ready to decide."""

    store: Store
    encoder: Encoder
    model: RoutingModel

    def judge(self, texts: list[str]) -> Judged:
        """Say what every model is worth on every text."""
        ids = [prompt_id_of(text) for text in texts]
        return self.model.judge(texts, vectors_of(self.store, self.encoder, ids, texts))

    def decide(self, texts: list[str]) -> pl.DataFrame:
        """Return one RECEIPT row for each text, in order."""
        judged = self.judge(texts)
        return receipts(judged, judged.best(), self.model)

    def counter(self) -> "CostCounter":
        """Return the first of the two passes of a budget."""
        return CostCounter(router=self)


@dataclass(frozen=True, kw_only=True)
class CostCounter:
    """The first pass: decides like the router and counts what improvements cost."""

    router: Router
    ledger: Ledger = field(default_factory=Ledger)

    def decide(self, texts: list[str]) -> pl.DataFrame:
        """Count some texts; returns their receipts without a budget."""
        judged = self.router.judge(texts)
        self.ledger.add(judged.weighed.utility, judged.estimates.cost_usd)
        return receipts(judged, judged.best(), self.router.model)

    def spend(self, budget_usd: float) -> "Spender":
        """Return the second pass, over the same texts in the same order.

        Raises
        ------
        InfeasibleError
            If the budget is below the least that the texts can cost.
        """
        return Spender(router=self.router, spending=self.ledger.spend(budget_usd))


@dataclass(frozen=True, kw_only=True)
class Spender:
    """The second pass: decides within the budget."""

    router: Router
    spending: Spending

    def decide(self, texts: list[str]) -> pl.DataFrame:
        """Return one RECEIPT row for each text, in order."""
        judged = self.router.judge(texts)
        chosen = self.spending.choose(judged.weighed.utility, judged.estimates.cost_usd)
        return receipts(judged, chosen, self.router.model)

    @property
    def quality_for_a_dollar(self) -> float:
        """Quality, summed over prompts, that one more US dollar would buy; 0 if it would not."""
        value = self.router.model.terms.quality_value_usd
        price = self.spending.shadow_price
        return price + 1.0 / value if price and np.isfinite(value) else price
