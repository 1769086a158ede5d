import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes.reading import read_axes
from pipeline.axes.rules import (
    AxisRule,
    apply_rules,
    parse_rule,
    read_rules,
    rule_set,
    rules_json,
)
from profiles.errors import InfeasibleError, UsageError
from profiles.tables import MODELS

TEXTS = ["My doctor found an infection, is surgery needed?", "Draw a tree", "ASAP, emergency!"]
IDS = ("plain", "safe", "unknown")
KNOWN = pl.DataFrame(
    {
        "model_id": ["plain", "safe"],
        "certifications": [[], ["medical"]],
        "features": [["json"], None],
    },
    schema_overrides={"certifications": MODELS.schema["certifications"]},
)
MEDICAL = "sensitivity=medical: certified=medical"
URGENT = "urgency=high: max_latency_s=2.0"


def apply(*rules, latency_s=None):
    parsed = [parse_rule(rule) for rule in rules]
    return apply_rules(parsed, read_axes(TEXTS), IDS, KNOWN, latency_s=latency_s)


def test_a_sensitive_prompt_goes_to_certified_models_only():
    """A model of unknown certification is not certified; other prompts are free."""
    found = apply(MEDICAL)
    assert found.allowed.tolist() == [[False, True, False], [True] * 3, [True] * 3]
    assert (found.masks[MEDICAL] == found.allowed).all()
    assert [found.reasons(row) for row in range(3)] == [[MEDICAL], [], []]


def test_an_urgent_prompt_has_a_latency_cap():
    """Unknown latency does not pass; one latency for each model or for each prompt."""
    latency = np.array([1.0, 3.0, np.nan])
    found = apply(URGENT, latency_s=latency)
    assert found.allowed.tolist() == [[True] * 3, [True] * 3, [True, False, False]]
    each = np.tile(latency, (3, 1))
    assert (apply(URGENT, latency_s=each).allowed == found.allowed).all()


def test_rules_add_up_and_may_leave_no_model():
    """A prompt under two rules needs a model that satisfies both."""
    found = apply(MEDICAL, "sensitivity=medical: feature=json")
    assert found.allowed[0].tolist() == [False, False, False]
    assert len(found.reasons(0)) == 2


def test_without_rules_everything_is_allowed():
    """Also without prompts."""
    assert apply().allowed.all()
    none = apply_rules([parse_rule(MEDICAL)], read_axes([]), IDS, KNOWN)
    assert none.allowed.shape == (0, 3)


def test_a_lower_threshold_catches_more():
    """Where a miss is costly the rule starts earlier."""
    readings = read_axes(["Is this drug allowed?"])
    likely = readings["sensitivity"].probabilities[0, 1]
    rule = AxisRule(axis="sensitivity", value="medical", certified="medical")
    early = AxisRule(
        axis="sensitivity",
        value="medical",
        certified="medical",
        least_probability=float(likely),
    )
    late = AxisRule(axis="sensitivity", value="medical", certified="m", least_probability=0.999)
    assert str(rule) == MEDICAL
    assert not apply_rules([early], readings, IDS, KNOWN).allowed[0, 0]
    assert apply_rules([late], readings, IDS, KNOWN).allowed.all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sensitivity", "expected AXIS=VALUE: certified=NAME"),
        ("sensitivity=medical:", "expected AXIS=VALUE"),
        ("mood=sad: certified=x", "one of the axes complexity, capabilities"),
        ("urgency=huge: certified=x", "urgency to be one of low, normal, high"),
        ("urgency=high: max_latency_s=soon", "a number of seconds above 0"),
        ("urgency=high: max_latency_s=-1", "a number of seconds above 0"),
        ("urgency=high: cheap=yes", "certified=NAME, feature=NAME or max_latency_s"),
        ("urgency=high: certified=a, certified=b", "expected AXIS=VALUE"),
    ],
)
def test_a_rule_that_cannot_be_read_says_what_was_expected(text, message):
    """The message quotes the rule."""
    with pytest.raises(UsageError, match=rf"'{text}' cannot be read: .*{message}"):
        parse_rule(text)


def test_a_cap_needs_latencies():
    """It is never silently ignored."""
    with pytest.raises(ValueError, match="give latency_s"):
        apply(URGENT)


def test_a_rule_is_written_as_it_is_read():
    """Text to rule and back."""
    text = "urgency=high: certified=eu, feature=tools, max_latency_s=2.5"
    assert str(parse_rule(text)) == text


@given(st.lists(st.sampled_from([MEDICAL, "urgency=high: feature=json"]), unique=True))
def test_more_rules_never_allow_more(rules):
    """Each rule only takes away."""
    fewer, all_rules = apply(*rules[:-1]), apply(*rules)
    assert not (all_rules.allowed & ~fewer.allowed).any()


def test_a_rule_set_judges_texts_by_their_signals():
    """It keeps what it needs of the models, and comes back from JSON as it was."""
    known = KNOWN.with_columns(context_tokens=pl.lit(8))
    rules = rule_set([MEDICAL, URGENT], known, IDS)
    latency = np.tile([1.0, 3.0, np.nan], (3, 1))
    found = rules.masks(TEXTS, IDS, latency)
    assert (found.allowed == apply(MEDICAL, URGENT, latency_s=latency).allowed).all()
    again = read_rules(rules_json(rules))
    assert again.rules == rules.rules
    assert again.models.equals(rules.models)


def test_a_rule_that_no_model_can_keep_is_infeasible():
    """The error names the rule and where to write down what a model has."""
    with pytest.raises(InfeasibleError, match=r"'sensitivity=legal: certified=legal'.*models file"):
        rule_set(["sensitivity=legal: certified=legal"], KNOWN, IDS)
    with pytest.raises(InfeasibleError, match="certified=medical"):
        rule_set([MEDICAL], KNOWN, ("plain", "unknown"))
