"""Two candidate models against each other, prompt by prompt, in every domain."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from profiles.errors import NotReadyError, UsageError
from profiles.interval import shrink_means, shrink_towards
from profiles.profile import ALL

_VARIANCE_PSEUDO_COUNTS = 10.0


def compare_models(
    outcomes: pl.DataFrame, elements: pl.DataFrame, *, model_id: str, other_id: str
) -> pl.DataFrame:
    """Compare two models on the prompts that both answered.

    Parameters
    ----------
    outcomes
        The OUTCOMES table; repeated outcomes of a model on a prompt are averaged.
    elements
        Columns prompt_id and element, and weight in (0, 1], which is 1 where it is left out.

    Returns
    -------
    DataFrame
        One row for `all` and each element with a common prompt, sorted by element: `n` prompts
        in common; `quality` and `other_quality`, their plain means on these; `difference` (the
        model's quality minus the other's, shrunk) with a 95 % interval; `difference_raw`.

    Raises
    ------
    UsageError
        If a model is unknown, or both are the same.
    NotReadyError
        If no prompt has a known quality of both.

    Notes
    -----
    Pairing removes the difficulty of the prompt. A domain's mean difference is shrunk to the one
    over all prompts by empirical Bayes; the variance within a domain is pooled with ten
    pseudo-observations of the overall one. The interval adds the uncertainty of what is shrunk
    to and of how much, sd² = B·v/n + (1 − B)²·(V/N + 2(Δ̄ − m)²/(k − 3)) for k domains (Morris
    1983, doi:10.1080/01621459.1983.10477920), at most v/n, that of the plain mean; it takes
    Student's t with as many degrees of freedom as there are prompts, less one. In simulations with
    domains of 8 to 60 prompts it held the truth 90 to 99 times in 100 (tests/profiles).
    """
    paired = _paired(outcomes, model_id, other_id)
    overall = float(paired["difference"].to_numpy().mean())
    spread = _variance(paired["difference"].to_numpy())
    whole = _summary(paired.with_columns(element=pl.lit(ALL), weight=pl.lit(1.0)))
    if "weight" not in elements.columns:
        elements = elements.with_columns(weight=pl.lit(1.0))
    cells = _summary(paired.join(elements, on="prompt_id"))
    means, n = cells["difference_raw"].to_numpy(), cells["n_effective"].to_numpy()
    within = shrink_towards(
        cells["variance"].to_numpy(), n, np.full(len(n), spread), _VARIANCE_PSEUDO_COUNTS
    )
    shrunk = shrink_means(means, within, n, overall)
    gain = np.clip(shrunk.sd**2 * n / np.maximum(within, 1e-12), 0.0, 1.0)
    unsure = spread / paired.height + (means - overall) ** 2 * 2.0 / max(len(n) - 3, 1)
    variance = shrunk.sd**2 + (1.0 - gain) ** 2 * unsure
    sd = np.sqrt(np.minimum(variance, within / n))
    rows = pl.concat([cells, whole])
    return (
        _with_interval(
            rows,
            np.append(shrunk.mean, overall),
            np.append(sd, np.sqrt(spread / paired.height)),
            degrees=paired.height - 1,
        )
        .drop("variance", "n_effective")
        .sort("element")
    )


def _paired(outcomes: pl.DataFrame, model_id: str, other_id: str) -> pl.DataFrame:
    known = sorted(outcomes["model_id"].unique())
    for wanted in (model_id, other_id):
        if wanted not in known:
            raise UsageError(f"There is no model {wanted!r}. Known: {', '.join(known)}.")
    if model_id == other_id:
        raise UsageError(f"{model_id!r} was named twice. Name two models to compare.")
    means = outcomes.group_by("prompt_id", "model_id").agg(pl.col("quality").mean())
    answered = means.drop_nulls("quality").drop("model_id")
    is_model = means.drop_nulls("quality")["model_id"]
    paired = answered.filter(is_model == model_id).join(
        answered.filter(is_model == other_id).rename({"quality": "other_quality"}), on="prompt_id"
    )
    if paired.is_empty():
        raise NotReadyError(
            f"No prompt has a known quality of both {model_id!r} and {other_id!r}. Import outcomes "
            "of both on the same prompts."
        )
    return paired.sort("prompt_id").with_columns(
        difference=pl.col("quality") - pl.col("other_quality")
    )


def _summary(placed: pl.DataFrame) -> pl.DataFrame:
    weight = pl.col("weight")

    def mean(value: pl.Expr) -> pl.Expr:
        return (weight * value).sum() / weight.sum()

    return (
        placed.group_by("element")
        .agg(
            n=pl.len(),
            n_effective=weight.sum() ** 2 / (weight**2).sum(),
            quality=mean(pl.col("quality")),
            other_quality=mean(pl.col("other_quality")),
            difference_raw=mean(pl.col("difference")),
            variance=mean((pl.col("difference") - mean(pl.col("difference"))) ** 2),
        )
        .sort("element")
    )


def _variance(values: NDArray[np.float64]) -> float:
    """Return the variance; of one value the widest one possible in [-1, 1]."""
    return float(values.var(ddof=1)) if len(values) > 1 else 1.0


def _with_interval(
    rows: pl.DataFrame, mean: NDArray[np.float64], sd: NDArray[np.float64], *, degrees: int
) -> pl.DataFrame:
    half = stdtrit(max(degrees, 1), 0.975) * sd
    return rows.with_columns(
        difference=mean,
        difference_lo=np.clip(mean - half, -1.0, 1.0),
        difference_hi=np.clip(mean + half, -1.0, 1.0),
    )
