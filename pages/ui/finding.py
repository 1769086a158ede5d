"""The finding in words, as Markdown with every foreign name escaped."""

import json
import math

from pages.ui import format as text
from pages.ui.run_reads import Run
from pipeline.config import Policy
from pipeline.expected import THIS_TABLE, Expectation
from pipeline.flows.present import Present

_MOST_NAMED = 3


def sentence(expectation: Expectation) -> str:
    """Say what the table does, what it is expected to gain and what that is compared with."""
    table = expectation.option(THIS_TABLE)
    if expectation.shares["model_id"].to_list() == [expectation.reference_model_id]:
        return (
            f"Every prompt goes to **{text.as_markdown(expectation.reference_model_id)}**, the "
            "best single model: no other one is better value for any of them."
        )
    reference = text.as_markdown(expectation.reference_model_id)
    cost = (
        f" and cost **{text.cost_change(table['cost_ratio'])}**"
        if table["cost_ratio"] is not None
        else ""
    )
    return (
        f"Sending {_shares(expectation)} changed quality by "
        f"**{text.points(table['advantage'])}** (95 % interval "
        f"{text.points_interval(table['advantage_lo'], table['advantage_hi'])}){cost}, compared "
        f"with {reference} for everything."
    )


def footnote(expectation: Expectation) -> str:
    """Say where the numbers come from, and what they are not."""
    return (
        f"Measured on n = {text.count(expectation.n_prompts)} training prompts, each routed by an "
        "estimate made without its own outcome. The best single model is the baseline. The "
        "trade-off was chosen on the same prompts; “promptshed evaluate” measures it on prompts "
        "held back."
    )


def refinement(policy: str) -> str:
    """Say how the table of a policy (JSON) is applied to a prompt."""
    if json.loads(policy).get("router") == "table":
        return "Each prompt mixes the rows below by how likely it belongs to each domain."
    return (
        "The rows below say what is best on average in each domain. Routing refines them prompt "
        "by prompt, so a prompt may get another model than its domain's first choice."
    )


def wish(policy: Policy) -> str:
    """Say what a policy asks for, in a few words."""
    floor, cap, loss = policy.min_quality, policy.max_latency_s, policy.max_loss
    ratio = policy.loss_ratio
    said = [
        _aim(policy),
        "" if ratio is None else f"a bad switch counts {ratio:g} times",
        "" if floor is None else f"quality of at least {text.quality(floor)}",
        "" if cap is None else f"at most {cap:g} s",
        *(f"at most {text.share(part)} to {model_id}" for model_id, part in policy.max_share),
        f"only {', '.join(policy.model_ids)}" if policy.model_ids else "",
        f"without {', '.join(policy.deny)}" if policy.deny else "",
        *(f"{domain} locked to {model_id}" for domain, model_id in policy.locks),
        *policy.rules,
        *(f"asks for {feature}" for feature in policy.required_features),
        "" if loss is None else f"certified to lose at most {100 * loss:g} points",
    ]
    return "; ".join(filter(None, said))


def _aim(policy: Policy) -> str:
    value = policy.quality_value_usd
    if value is None:
        return f"keeps {text.share(policy.keep_quality)} of the safe choice's quality"
    if value == math.inf:
        return "looks at quality alone"
    return f"a point of quality is worth {text.dollars(value / 100)}"


def unclustered(run: Run | None) -> str:
    """Say how many prompts of a run are in no cluster."""
    if run is None:
        return "not clustered yet"
    return f"{text.share(run.n_unclustered / max(run.n_prompts, 1))} unclustered"


def present(found: Present) -> str:
    """Say what the log itself did, or why that is not known."""
    if not found.is_single:
        return (
            f"What is in use now is not known: {text.counted(found.n_compared, 'prompt')} of "
            f"{text.count(found.n_compared + found.n_prompts)} were answered by several models, "
            "which is a comparison. Import the log of the service to see it here."
        )
    models = [
        f"{text.share(share)} to {text.as_markdown(model_id)}"
        for model_id, share in found.shares.head(_MOST_NAMED).iter_rows()
    ]
    sure = f"95 % interval {text.interval(found.quality_lo, found.quality_hi)}"
    return (
        f"Current is what the log did on {text.counted(found.n_prompts, 'prompt')} that one model "
        f"alone answered ({', '.join(models)}): quality {text.quality(found.quality)} ({sure}, "
        f"n = {text.count(found.n_known)}), "
        f"{text.dollars_per_1000(found.cost_usd)} per 1,000 (n = {text.count(found.n_cost)}). "
        "What another model would have done with them is not known, so no difference is given."
    )


def cost_delta(ratio: float | None) -> str | None:
    """Return a change of cost for `st.metric`, which wants an ASCII sign in front.

    >>> cost_delta(0.9), cost_delta(1.25), cost_delta(None)
    ('-10 %', '+25 %', None)
    """
    if ratio is None:
        return None
    return f"{'-' if ratio < 1 else '+'}{text.share(abs(1 - ratio))}"


def points_delta(difference: float | None) -> str | None:
    """Return a difference of quality for `st.metric`.

    >>> points_delta(-0.0102)
    '-1.0 points'
    """
    return None if difference is None else text.points(difference).replace("−", "-")


def _shares(expectation: Expectation) -> str:
    pairs = list(expectation.shares.select("model_id", "share").iter_rows())
    named = [f"**{text.share(share)}** to {text.as_markdown(model)}" for model, share in pairs]
    if len(named) == 1:
        return f"every prompt to {text.as_markdown(pairs[0][0])}"
    n_rest = len(named) - _MOST_NAMED
    if n_rest > 0:
        named[_MOST_NAMED:] = [f"the rest to {n_rest} more"]
    return f"{', '.join(named[:-1])} and {named[-1]}".replace("** to", "** of the prompts to", 1)
