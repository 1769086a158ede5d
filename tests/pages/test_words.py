"""Numbers, names and findings as text."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.ui import columns, curated, finding
from pages.ui import format as text
from tests.conftest import HOSTILE
from tests.pipeline.test_expected import example


@pytest.mark.parametrize(
    "write",
    [
        text.count,
        text.quality,
        text.share,
        text.points,
        text.dollars_per_1000,
        text.cost_change,
        text.when,
    ],
)
def test_unknown_is_a_dash(write):
    """Null is never written as 0."""
    assert write(None) == "–"


def test_intervals_need_both_ends():
    """Half an interval is none."""
    assert text.interval(0.1, None) == "–"
    assert text.points_interval(None, 0.1) == "–"


@given(st.floats(0.0, 1.0))
def test_a_share_is_only_nothing_or_all_when_it_is(value):
    """Almost nothing is not written as nothing."""
    written = text.share(value)
    assert (written == "100 %") <= (value > 0.9994)
    assert (written == "0 %") <= (value == 0.0)


def test_tiny_costs_keep_two_digits():
    """A thousandth of a cent for a thousand prompts is still a number."""
    assert text.dollars_per_1000(1.234e-8) == "$0.000012"
    assert text.dollars_per_1000(0.0) == "$0.000"


@given(st.text())
def test_labels_have_no_html(name):
    """Whatever a domain is called, Plotly finds no tag in it."""
    label = text.as_label(name)
    assert "<" not in label
    assert "\n" not in label


def test_markdown_has_nothing_left_to_interpret():
    """Each character that Markdown or Streamlit reads is escaped, and no shortcode can start."""
    escaped = text.as_markdown(HOSTILE)
    for mark in "*[]<>`$":
        assert escaped.count(mark) == escaped.count(f"\\{mark}")
    assert ":material" not in escaped
    assert ":red" not in escaped


def test_a_long_prompt_says_how_much_is_not_shown():
    """The rest is counted."""
    assert text.excerpt("x" * 605) == "x" * 600 + "… (5 more characters)"


def test_the_finding_compares_with_the_reference():
    """Shares, gain, interval and cost are in one sentence."""
    found = example()
    assert finding.sentence(found) == (
        "Sending **75 %** of the prompts to a and **25 %** to b changed quality by "
        "**+5.0 points** (95 % interval +2.5 to +7.5) and cost **19 % less**, compared with a for "
        "everything."
    )
    assert "n = 40" in finding.footnote(found)


def test_a_table_that_never_leaves_the_reference_says_so():
    """There is no gain to report."""
    one = example(shares={"a": 1.0})
    assert finding.sentence(one).startswith("Every prompt goes to **a**, the best single model")


def test_without_costs_the_finding_is_about_quality():
    """An unknown cost is left out of the sentence."""
    found = example(cost_ratio=None)
    assert "cost" not in finding.sentence(found)


def test_many_models_are_summed_up():
    """Only the first three are named."""
    shares = dict(zip("abcde", (5 / 15, 4 / 15, 3 / 15, 2 / 15, 1 / 15), strict=True))
    said = finding.sentence(example(shares=shares))
    assert "**20 %** to c and the rest to 2 more changed" in said


def test_the_catalogue_lists_domains_and_waiting_clusters():
    """Keys say which is which."""
    domains = pl.DataFrame(
        {
            "domain_id": ["dom-1"],
            "name": ["one"],
            "n_prompts": pl.Series([5], dtype=pl.UInt32),
            "status": ["approved"],
            "approved_by": ["ann"],
            "run_id": ["r"],
            "cluster_id": [0],
            "updated_at": pl.Series([None], dtype=pl.Datetime("us", "UTC")),
        }
    )
    waiting = pl.DataFrame(
        {"run_id": "r", "cluster_id": [3, 4], "name": ["three", "four"], "n_prompts": [9, 5]}
    )
    clusters = pl.DataFrame(
        {
            "run_id": "r",
            "cluster_id": [0, 3, 4, 5],
            "name": ["zero", "three", "four", "five"],
            "parents": [["one and two", "all"], ["three", "all"], ["wide", "wide"], []],
        }
    )
    choices = pl.DataFrame(
        {"domain_id": ["dom-1"], "model_id": ["large"], "quality": [0.9], "cost_usd": [0.002]}
    )
    listed = curated.catalogue(domains, waiting, choices, clusters)
    assert listed["Key"].to_list() == ["dom-1", "cluster-3", "cluster-4"]
    assert listed["Status"].to_list() == ["approved", "waiting", "waiting"]
    assert listed["Group"].to_list() == ["all › one and two", "all", "wide"]


def test_groups_of_most_prompts_come_first():
    """Those of one group stand together, the largest of them on top."""
    names = ["a", "b", "c", "d"]
    parents = [["small"], ["large"], ["small"], ["large"]]
    clusters = pl.DataFrame(
        {"run_id": "r", "cluster_id": range(4), "name": names, "parents": parents}
    )
    waiting = clusters.select("run_id", "cluster_id", "name", n_prompts=pl.Series([60, 50, 30, 70]))
    domains = pl.DataFrame(
        schema={
            "domain_id": pl.String,
            "name": pl.String,
            "n_prompts": pl.UInt32,
            "status": pl.String,
            "run_id": pl.String,
            "cluster_id": pl.Int64,
        }
    )
    choices = pl.DataFrame(
        schema={
            "domain_id": pl.String,
            "model_id": pl.String,
            "quality": pl.Float64,
            "cost_usd": pl.Float64,
        }
    )
    listed = curated.catalogue(domains, waiting, choices, clusters)
    assert listed["Name"].to_list() == ["d", "b", "a", "c"]


def test_costs_of_a_column_have_the_decimals_of_the_cards():
    """So that a number is the same in both."""
    amounts = pl.Series([0.00955, 0.015037, 0.0000287])
    format_ = columns.columns_of(pl.DataFrame({"$ per 1,000": 1000 * amounts}))
    assert format_["$ per 1,000"]["type_config"]["format"] == "%,.3f"
    assert [text.dollars_per_1000(cost) for cost in amounts] == ["$9.550", "$15.037", "$0.029"]
