"""Two models beside each other, prompt by prompt, in every domain of the published table."""

import numpy as np
import polars as pl
import streamlit as st

from pages.ui import charts, figures, reads, shown
from pages.ui import format as text
from pipeline.study import Study
from profiles.compare import compare_models
from profiles.errors import NotReadyError
from profiles.grid import by_place, element_names


def show(study: Study | None) -> None:
    """Let two models be chosen, and show by how much one is better where."""
    if study is None:
        st.caption("Two models are compared here once a routing table was built.")
        return
    if len(study.model_ids) < 2:
        st.caption("There is one model only.")
        return
    left, right = st.columns(2)
    best = study.model_ids[study.reference]
    others = [model_id for model_id in study.model_ids if model_id != best]
    one = left.selectbox("This model", [best, *others], key="compare-one")
    rest = [model_id for model_id in study.model_ids if model_id != one]
    other = right.selectbox("Against", rest, key="compare-other")
    try:
        rows = compare_models(
            _outcomes(study), _elements(study), model_id=str(one), other_id=str(other)
        )
    except NotReadyError as error:
        st.info(text.as_markdown(str(error)))
        return
    names = reads.domains().select("domain_id", "name")
    rows = by_place(element_names(rows, names))
    st.plotly_chart(
        charts.paired_differences(rows, str(one), str(other)),
        alt="Paired differences of quality by domain",
        config=figures.STILL,
    )
    with st.expander("As a table"):
        shown.table(shown.paired(rows), alt="Paired differences of quality by domain")
    st.caption(
        f"n counts prompts that both answered, of {text.count(len(study.prompt_ids))}; the "
        "difference is shrunk to the one over all prompts where n is small. A line that crosses 0 "
        "decides nothing."
    )


def _outcomes(study: Study) -> pl.DataFrame:
    n, m = study.outcomes.quality.shape
    return pl.DataFrame(
        {
            "prompt_id": np.repeat(np.array(study.prompt_ids, dtype=object), m),
            "model_id": np.tile(np.array(study.model_ids, dtype=object), n),
            "quality": study.outcomes.quality.ravel(),
        },
        schema_overrides={"prompt_id": pl.String, "model_id": pl.String},
    ).fill_nan(None)


def _elements(study: Study) -> pl.DataFrame:
    ids = np.array(study.domain_ids, dtype=object)[study.buckets]
    return pl.DataFrame(
        {"prompt_id": study.prompt_ids, "element": ids},
        schema_overrides={"prompt_id": pl.String, "element": pl.String},
    )
