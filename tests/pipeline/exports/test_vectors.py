import json

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assign import Assigner
from pipeline.exports.exemplars import exemplar_rows, least_likeness
from pipeline.exports.label_map import LabelMap
from pipeline.exports.redaction import redact
from pipeline.exports.registry import PROJECTIONS
from pipeline.exports.vllm_sr import N_CATEGORIES, centroids
from profiles.errors import UsageError
from profiles.profile import UNASSIGNED

GRID = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0])
CHAINS = {"dom-1": ("small", "large"), "dom-2": ("large",), UNASSIGNED: ("large", "small")}


def assigner(weights, intercepts):
    weights = np.array(weights, dtype=np.float32)
    return Assigner(
        weights=weights,
        intercepts=np.array(intercepts, dtype=np.float32),
        temperature=1.0,
        prototypes=weights,
        radii=np.full(len(weights), 0.25, dtype=np.float32),
    )


def table(chains=CHAINS, **changes):
    names = [{"domain_id": key, "name": key.upper()} for key in chains]
    given = {
        "assigner": assigner([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.5]),
        "encoder_name": "all-MiniLM-L6-v2",
        "exemplars": {"dom-1": ("add", "sum"), "dom-2": ("poem",)},
        "thresholds": {"dom-1": 0.25, "dom-2": 0.25},
    }
    return LabelMap(table_version=3, chains=chains, entries=pl.DataFrame(names), **given | changes)


def config(name, **changes):
    contents = PROJECTIONS[name].write(table(**changes))
    return yaml.safe_load(next(c for n, c in contents.items() if n.endswith(".yaml")))


@given(
    st.lists(st.tuples(GRID, GRID, GRID, GRID), min_size=1, max_size=6),
    st.tuples(GRID, GRID, GRID),
    st.integers(0, N_CATEGORIES - 1),
)
def test_the_nearest_centroid_is_the_likeliest_domain(rows, x, category):
    """In Euclidean distance, whatever category the router appends to the embedding."""
    made = assigner([row[:3] for row in rows], [row[3] for row in rows])
    logits = made.weights.astype(float) @ x + made.intercepts
    point = np.concatenate([x, np.eye(N_CATEGORIES)[category]])
    distance = ((centroids(made) - point) ** 2).sum(axis=1)
    assert logits[distance.argmin()] == pytest.approx(logits.max(), abs=1e-6)


def test_vllm_sr_has_one_model_for_each_domain_and_no_prompt_unless_given():
    """The k-means names first choices; all of them stand in the decision that uses it."""
    contents = PROJECTIONS["vllm-sr"].write(table())
    kmeans = json.loads(contents["kmeans_model.json"])
    assert (kmeans["num_clusters"], kmeans["cluster_models"]) == (2, ["small", "large"])
    assert np.shape(kmeans["centroids"]) == (2, 2 + N_CATEGORIES)
    routing = config("vllm-sr")["routing"]
    assert [d["name"] for d in routing["decisions"]] == ["route_dom-1", "route_dom-2", "by_kmeans"]
    bare = config("vllm-sr", exemplars={})["routing"]
    assert [d["name"] for d in bare["decisions"]] == ["by_kmeans"]
    assert "signals" not in bare
    assert bare["decisions"][0]["modelRefs"] == [{"model": "large"}, {"model": "small"}]


def test_a_semantic_router_route_has_examples_a_threshold_and_its_models():
    """Unassigned is no route: nothing is like it."""
    routes = config("semantic-router")["routes"]
    assert [route["name"] for route in routes] == ["dom-1", "dom-2"]
    assert routes[0]["utterances"] == ["add", "sum"]
    assert routes[0]["confidence_threshold"] == 0.25
    assert routes[0]["metadata"] == {"model": "small", "fallbacks": ["large"]}


def test_the_auto_router_names_groups_that_exist():
    """Its routes, its default and its encoder are model groups of the same file."""
    groups = {
        g["model_name"]: g["litellm_params"] for g in config("litellm-semantic")["model_list"]
    }
    router = groups["promptshed"]
    routes = json.loads(router["auto_router_config"])["routes"]
    named = {route["name"] for route in routes}
    named |= {router["auto_router_default_model"], router["auto_router_embedding_model"]}
    assert named <= set(groups)
    assert routes[1] == {
        "name": "dom-2", "description": "DOM-2", "utterances": ["poem"], "score_threshold": 0.25,
    }  # fmt: skip


def test_the_plugin_has_a_tier_for_each_model_and_fallbacks_by_model():
    """A tier is a model; who stands in for it keeps the limits wherever it does: not at dom-2."""
    found = config("litellm-plugin")
    tiers = found["model_list"][-1]["litellm_params"]["complexity_router_config"]
    assert tiers["tiers"] == {"large": ["large"], "small": ["small"]}
    assert tiers["fallback_tier"] == "large"
    assert found["router_settings"]["fallbacks"] == [{"small": ["large"]}]


@pytest.mark.parametrize("n_models", [1, 9])
def test_the_plugin_refuses_what_litellm_cannot_hold(n_models):
    """Two to eight tiers."""
    chain = tuple(f"m{i}" for i in range(n_models))
    with pytest.raises(UsageError, match=f"2 to 8 tiers.*this table has {n_models}"):
        PROJECTIONS["litellm-plugin"].write(table({"dom-1": chain, UNASSIGNED: chain}))


@pytest.mark.parametrize(
    "name", ["litellm-plugin", "litellm-semantic", "vllm-sr", "semantic-router"]
)
def test_a_table_without_domains_has_nothing_to_choose_between(name):
    """All of these formats are about domains."""
    with pytest.raises(UsageError, match="no approved domain"):
        PROJECTIONS[name].write(table(assigner=None))


def test_examples_cover_the_parts_of_a_domain():
    """Of two far apart groups of 20 each gives one; a small domain gives all it has."""
    near, far = np.eye(3)[0], np.eye(3)[1]
    vectors = np.array([near] * 20 + [far] * 20 + [np.eye(3)[2]], dtype=np.float32)
    domain_of = np.array([0] * 40 + [1])
    first, second = exemplar_rows(vectors, domain_of, n_exemplars=2)
    assert (sorted(row >= 20 for row in first), list(second)) == ([False, True], [40])
    assert exemplar_rows(vectors, np.full(41, -1)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call me at 030-123 45", "Call me at <number> <number>"),
        ("ask a.b+c@mail.org or @ana", "ask <e-mail> or <name>"),
        ("See www.x.org/y for more", "See <url> for more"),
        ("Dear Anna Smith, hello", "<name>, hello"),
        ("Is Berlin larger? In Rome.", "<name> larger? <name>."),
        ("What is love", "What is love"),
        ("", ""),
    ],
)
def test_what_looks_personal_is_masked(text, expected):
    """Addresses, digits and names; the first word of a sentence stays."""
    assert redact(text) == expected


@pytest.mark.parametrize("text", ["ana lives in rome", "Ana called", "my password is swordfish"])
def test_what_masking_does_not_catch(text):
    """As its documentation says: small letters, a first word, secrets in words."""
    assert redact(text) == text


def test_the_least_likeness_by_hand():
    """Of the others' cosines 0.8 and 0.6 to the nearest example, the share of them; 0 for none."""
    vectors = np.array([[1, 0], [0.8, 0.6], [0.6, -0.8], [0, 1]], dtype=np.float32)
    domain_of = np.array([0, 0, 0, 1])
    rows = [np.array([0]), np.array([3])]
    found = least_likeness(vectors, domain_of, rows, rejected_share=0.0)
    assert found == pytest.approx([0.6, 0.0])
    found = least_likeness(vectors, domain_of, rows, rejected_share=0.5)
    assert found == pytest.approx([0.7, 0.0])
