"""What the log itself did."""

import polars as pl
import pytest

from pipeline.flows.present import read_present
from pipeline.store import Store
from profiles.tables import OUTCOMES


def present_of(tmp_path, *rows):
    """Return what was in use by rows of prompt, model, quality and cost."""
    store = Store(path=tmp_path / "log.duckdb")
    store.append(
        (
            OUTCOMES,
            pl.DataFrame(
                [
                    {
                        "prompt_id": prompt,
                        "model_id": model,
                        "request_id": str(place),
                        "quality": quality,
                        "cost_usd": cost,
                    }
                    for place, (prompt, model, quality, cost) in enumerate(rows)
                ],
                schema=dict(OUTCOMES.schema),
            ),
        )
    )
    return read_present(store)


def test_the_log_by_hand(tmp_path):
    """Each request counts once, also of one prompt; unknown quality and cost are left out."""
    found = present_of(
        tmp_path,
        ("p", "a", 1.0, 0.01),
        ("p", "a", 0.0, 0.03),
        ("q", "b", 0.5, None),
        ("r", "a", None, 0.02),
        ("s", "a", 0.9, 0.5),
        ("s", "b", 0.1, 0.5),
    )
    assert (found.n_prompts, found.n_compared, found.is_single) == (3, 1, True)
    assert (found.n_known, found.quality) == (3, 0.5)
    assert (found.n_cost, found.cost_usd) == (3, pytest.approx(0.02))
    assert found.quality_hi - found.quality == pytest.approx(1.96 * 0.5 / 3**0.5, abs=1e-4)
    assert dict(found.shares.iter_rows()) == {"a": 0.75, "b": 0.25}


def test_a_comparison_of_models_shows_no_choice_in_use(tmp_path, tiny_store):
    """Nor does a store without outcomes."""
    assert not read_present(tiny_store).is_single
    empty = present_of(tmp_path)
    assert (empty.is_single, empty.quality, empty.cost_usd) == (False, None, None)


def test_one_request_has_no_interval(tmp_path):
    """Its spread is not known."""
    found = present_of(tmp_path, ("p", "a", 1.0, None))
    assert (found.quality, found.quality_lo, found.cost_usd) == (1.0, None, None)
