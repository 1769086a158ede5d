"""A lasso or box on the map, applied to every prompt and not only to those drawn."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pages.ui import format as text
from pages.ui import reads
from pipeline.atlas import inside_polygon
from pipeline.csv_text import csv_text, guard_cell

MOST_LISTED = 200
_LONGEST_CELL = 2_000


def polygons(event: Mapping[str, object]) -> list[NDArray[np.float64]]:
    """Return the outlines drawn on a chart, each of shape (n_corners, 2)."""
    drawn = event.get("selection")
    if not isinstance(drawn, Mapping):
        return []
    lassos = [np.column_stack([shape["x"], shape["y"]]) for shape in drawn.get("lasso") or ()]
    boxes = [_box(shape["x"], shape["y"]) for shape in drawn.get("box") or ()]
    return [corners.astype(np.float64) for corners in (*lassos, *boxes)]


def inside(points: pl.DataFrame, event: Mapping[str, object]) -> pl.DataFrame:
    """Return the prompts inside any outline."""
    x, y = points["x"].to_numpy(), points["y"].to_numpy()
    chosen = np.zeros(points.height, dtype=np.bool_)
    for corners in polygons(event):
        chosen |= inside_polygon(x, y, corners)
    return points.filter(pl.Series(chosen))


def with_texts(chosen: pl.DataFrame) -> pl.DataFrame:
    """Return the first prompts of a selection with their texts, for a table."""
    listed = chosen.head(MOST_LISTED)
    read = reads.texts(tuple(listed["prompt_id"]))
    return listed.join(read, on="prompt_id", maintain_order="left").select(
        Prompt=pl.col("text").str.slice(0, _LONGEST_CELL), Domain="domain", Cluster="cluster"
    )


def as_csv(chosen: pl.DataFrame) -> str:
    """Return a selection with whole texts as CSV that no spreadsheet runs."""
    read = reads.texts(tuple(chosen["prompt_id"]))
    rows = chosen.join(read, on="prompt_id", maintain_order="left").select(
        "prompt_id", "domain", "cluster", "text"
    )
    return csv_text(
        [
            rows.columns,
            *([guard_cell(cell or text.DASH) for cell in row] for row in rows.iter_rows()),
        ]
    )


def _box(x: Sequence[float], y: Sequence[float]) -> NDArray[np.float64]:
    return np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])
