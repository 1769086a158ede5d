"""Route: texts to receipts by a published table, within a budget or shares if there are any."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.budget import Ledger, Spending
from pipeline.embed import Encoder
from pipeline.explore import Drawn, draw_alternatives, row_shares
from pipeline.flows.candidates import column_of
from pipeline.flows.encoding import PassingVectors
from pipeline.flows.tables import load_model
from pipeline.prompt_text import prompt_id_of
from pipeline.shares import assign_within_shares
from pipeline.store import Store
from pipeline.table import Judged, RoutingModel, receipts
from profiles.errors import UsageError


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
    return Router(vectors=PassingVectors(store=store, encoder=encoder), model=model)


@dataclass(frozen=True, kw_only=True)
class Router:
    """A table version ready to decide."""

    vectors: PassingVectors
    model: RoutingModel
    explore: float = 0.0
    """Share of the rows for which lots are drawn among the models that keep the limits."""

    def judge(self, texts: list[str]) -> Judged:
        """Say what every model is worth on every text."""
        ids = [prompt_id_of(text) for text in texts]
        return self.model.judge(texts, self.vectors.of(ids, texts))

    def decide(self, texts: list[str], lines: Sequence[int] = ()) -> pl.DataFrame:
        """Return one RECEIPT row for each text, in order; lots go by the text and its line."""
        judged = self.judge(texts)
        if not self.explore:
            return receipts(judged, judged.best(), self.model)
        drawn = self._draw(judged, texts, lines)
        return receipts(judged, drawn.chosen, self.model, drawn)

    def _draw(self, judged: Judged, texts: list[str], lines: Sequence[int]) -> Drawn:
        """Draw lots; where no model keeps the limits there is nothing to draw from."""
        weighed = judged.weighed
        candidates = np.isfinite(weighed.utility) & ~weighed.fell_back[:, None]
        ids = [prompt_id_of(text) for text in texts]
        shares = row_shares(lines, ids, seed=self.model.table_version)
        return draw_alternatives(candidates, judged.best(), shares, explore=self.explore)

    def state(self) -> dict[str, float]:
        """Return nothing: no decision depends on those before."""
        return {}

    def counter(self) -> "CostCounter":
        """Return the first of the two passes of a budget."""
        return CostCounter(router=self)

    def spender(self, state: Mapping[str, float]) -> "Spender":
        """Return the second pass of a budget as an earlier run left it."""
        spending = Spending(
            least_bin=int(state["least_bin"]),
            left_usd=state["left_usd"],
            shadow_price=state["shadow_price"],
        )
        return Spender(router=self, spending=spending)

    def weigher(self) -> "Weigher":
        """Return the first of the two passes of limited shares."""
        return Weigher(router=self)


@dataclass(frozen=True, kw_only=True)
class CostCounter:
    """The first pass: decides like the router and counts what improvements cost."""

    router: Router
    ledger: Ledger = field(default_factory=Ledger)

    def decide(self, texts: list[str], _lines: Sequence[int] = ()) -> pl.DataFrame:
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

    def decide(self, texts: list[str], _lines: Sequence[int] = ()) -> pl.DataFrame:
        """Return one RECEIPT row for each text, in order."""
        judged = self.router.judge(texts)
        chosen = self.spending.choose(judged.weighed.utility, judged.estimates.cost_usd)
        return receipts(judged, chosen, self.router.model)

    def state(self) -> dict[str, float]:
        """Return what `Router.spender` goes on from."""
        return asdict(self.spending)

    @property
    def quality_for_a_dollar(self) -> float:
        """Quality, summed over prompts, that one more US dollar would buy; 0 if it would not."""
        value = self.router.model.terms.quality_value_usd
        price = self.spending.shadow_price
        return price + 1.0 / value if price and np.isfinite(value) else price


@dataclass(frozen=True, kw_only=True)
class Weigher:
    """The first pass under limited shares: keeps what each model is worth on each text.

    That is 16 bytes for each text and model.
    """

    router: Router
    utility: list[NDArray[np.float64]] = field(default_factory=list[NDArray[np.float64]])
    cost_usd: list[NDArray[np.float64]] = field(default_factory=list[NDArray[np.float64]])

    def decide(self, texts: list[str], _lines: Sequence[int] = ()) -> pl.DataFrame:
        """Weigh some texts; returns their receipts without limited shares."""
        judged = self.router.judge(texts)
        self.utility.append(judged.weighed.utility)
        self.cost_usd.append(judged.estimates.cost_usd)
        return receipts(judged, judged.best(), self.router.model)

    def share(self, max_share: Mapping[str, float], *, n_done: int = 0) -> "Sharer":
        """Return the second pass, over the same texts in the same order, after the first `n_done`.

        Raises
        ------
        InfeasibleError
            If too many texts have no other candidate.
        UsageError
            If the table has no such model.
        """
        model_ids = self.router.model.model_ids
        most = {column_of(model_ids, model_id): share for model_id, share in max_share.items()}
        nothing = [np.empty((0, len(model_ids)))]
        utility = np.concatenate(self.utility or nothing)
        cost_usd = np.concatenate(self.cost_usd or nothing)
        chosen = assign_within_shares(utility, cost_usd, most, model_ids)
        return Sharer(router=self.router, chosen=chosen, n_done=n_done)


@dataclass(kw_only=True)
class Sharer:
    """The second pass under limited shares: hands out what was assigned."""

    router: Router
    chosen: NDArray[np.int64]
    n_done: int = 0

    def decide(self, texts: list[str], _lines: Sequence[int] = ()) -> pl.DataFrame:
        """Return one RECEIPT row for each text, in order."""
        chosen = self.chosen[self.n_done : self.n_done + len(texts)]
        self.n_done += len(texts)
        return receipts(self.router.judge(texts), chosen, self.router.model)

    def state(self) -> dict[str, float]:
        """Return how many texts are done."""
        return {"n_done": self.n_done}
