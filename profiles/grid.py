"""A capability profile laid out as domains × models, with the difference to one model."""

import polars as pl

from profiles.profile import ALL, CAPABILITY, UNASSIGNED

FEW = 30
"""Cells with fewer outcomes than this are marked: their numbers lean on the prior."""
ALL_NAME, UNASSIGNED_NAME = "all prompts", "unlike every domain"


def profile_grid(
    cells: pl.DataFrame, names: pl.DataFrame, *, reference_model_id: str | None = None
) -> pl.DataFrame:
    """Name and order the cells of one profile, and compare each with the reference model's.

    Parameters
    ----------
    cells
        PROFILE_CELLS rows of one profile.
    names
        Columns domain_id and name.
    reference_model_id
        The model to compare with; None takes the one with the highest quality over all prompts.

    Returns
    -------
    DataFrame
        `cells` with `name`, `is_few`, `reference_model_id`, and `difference` with a 95 % interval
        (null without a reference; 0 for the reference itself). Elements by falling n, with all
        prompts first, then domains, the unassigned and capabilities; models by falling quality
        over all prompts.

    Notes
    -----
    The interval of the difference adds the variances of both cells, as if other prompts had been
    put to each model: wider than the paired interval of a routing table.
    """
    named = element_names(cells, names)
    reference_id = reference_model_id or best_overall(cells) or ""
    reference = cells.filter(model_id=reference_id).select(
        "element", "quality", "quality_lo", "quality_hi"
    )
    compared = named.join(reference, on="element", how="left", suffix="_of_reference")
    return _ordered(
        compared.with_columns(
            is_few=pl.col("n") < FEW,
            reference_model_id=pl.lit(reference_id, dtype=pl.String),
            **_difference(reference_id),
        ).select(
            *named.columns,
            "is_few",
            "reference_model_id",
            "difference",
            "difference_lo",
            "difference_hi",
        )
    )


def with_regret(grid: pl.DataFrame, regrets: pl.DataFrame) -> pl.DataFrame:
    """Add what each cell's model loses against the best in hindsight; null where unknown.

    Parameters
    ----------
    regrets
        Columns element, model_id, n_regret, regret, regret_lo and regret_hi.

    Returns
    -------
    DataFrame
        `grid` in its order with these columns and `is_few_regret`.
    """
    return grid.join(
        regrets, on=["element", "model_id"], how="left", maintain_order="left"
    ).with_columns(is_few_regret=pl.col("n_regret").fill_null(0) < FEW)


def element_names(cells: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Add the column `name` to rows with an element; `names` has columns domain_id and name."""
    return cells.join(
        names.select(element="domain_id", name="name"),
        on="element",
        how="left",
        maintain_order="left",
    ).with_columns(
        name=pl.when(element=ALL)
        .then(pl.lit(ALL_NAME))
        .when(element=UNASSIGNED)
        .then(pl.lit(UNASSIGNED_NAME))
        .when(pl.col("element").str.starts_with(CAPABILITY))
        .then(pl.col("element").str.strip_prefix(CAPABILITY) + " (capability)")
        .otherwise(pl.coalesce("name", "element"))
    )


def best_overall(cells: pl.DataFrame) -> str | None:
    """Return the model with the highest quality over all prompts, the smaller id on a tie."""
    known = cells.filter(pl.col("quality").is_not_null() & (pl.col("n") > 0), element=ALL)
    if known.is_empty():
        return None
    return str(known.sort(["quality", "model_id"], descending=[True, False])["model_id"][0])


def _difference(reference_id: str | None) -> dict[str, pl.Expr]:
    difference = pl.col("quality") - pl.col("quality_of_reference")
    half = (
        _half_width("quality_lo", "quality_hi").pow(2)
        + _half_width("quality_lo_of_reference", "quality_hi_of_reference").pow(2)
    ).sqrt()
    half = pl.when(model_id=reference_id).then(0.0).otherwise(half)
    return {
        "difference": difference,
        "difference_lo": difference - half,
        "difference_hi": difference + half,
    }


def _half_width(lo: str, hi: str) -> pl.Expr:
    return (pl.col(hi) - pl.col(lo)) / 2.0


def by_place(rows: pl.DataFrame, *then: str) -> pl.DataFrame:
    """Sort rows with an element and n: all prompts, domains by falling n, the rest at the end."""
    place = pl.when(element=ALL).then(0).when(element=UNASSIGNED).then(2)
    place = place.when(pl.col("element").str.starts_with(CAPABILITY)).then(3).otherwise(1)
    falling = {"size", "overall"}
    keys = ["place", "size", "element", *then]
    return (
        rows.with_columns(place=place, size=pl.col("n").max().over("element"))
        .sort(keys, descending=[key in falling for key in keys], nulls_last=True)
        .drop("place", "size")
    )


def _ordered(grid: pl.DataFrame) -> pl.DataFrame:
    overall = grid.filter(element=ALL).select("model_id", overall="quality")
    joined = grid.join(overall, on="model_id", how="left")
    return by_place(joined, "overall", "model_id").drop("overall")
