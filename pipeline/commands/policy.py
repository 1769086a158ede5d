"""The options of `promptshed table build` that make a policy."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from pipeline.axes.rules import parse_rule
from pipeline.config import Policy
from profiles.errors import UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SHARE = click.FloatRange(0.0, 1.0)

_OPTIONS = (
    click.option(
        "--quality-value-usd",
        type=click.FloatRange(0.0),
        help="Dollars that one unit of quality (0 to 1) is worth on one prompt. Without it: the "
        "cheapest setting that keeps the best single model's quality on held-out folds.",
    ),
    click.option(
        "--keep-quality",
        type=_SHARE,
        default=1.0,
        show_default=True,
        help="Share of the best single model's quality to keep.",
    ),
    click.option("--models", "--allow", help="The only models that may be used, by comma."),
    click.option("--deny", help="Models that may not be used, by comma."),
    click.option(
        "--require",
        "required_features",
        multiple=True,
        metavar="FEATURE",
        help="What a model must have by the models file, such as tools; may be repeated.",
    ),
    click.option(
        "--min-context",
        "min_context_tokens",
        type=click.IntRange(1),
        help="Smallest context window of a model in tokens, by the models file.",
    ),
    click.option("--reference", help="The safe choice; the best single model by default."),
    click.option(
        "--router",
        type=click.Choice(["stack", "table"]),
        default="stack",
        show_default=True,
        help="What estimates each prompt: the stack of smoothers, or the table alone.",
    ),
    click.option(
        "--loss-ratio",
        "loss_ratios",
        multiple=True,
        metavar="[DOMAIN=]RATIO",
        help="How much worse a bad switch away from the safe choice is than a good one is good; "
        "chosen on held-out folds by default. May be given for single domains.",
    ),
    click.option("--min-quality", type=_SHARE, help="Lowest expected quality on a prompt."),
    click.option(
        "--max-latency-s",
        type=click.FloatRange(0.0, min_open=True),
        help="Highest expected latency on a prompt.",
    ),
    click.option(
        "--rule",
        "rules",
        multiple=True,
        metavar="'AXIS=VALUE: DEMAND'",
        help="Prompts of a kind need models that have something by the models file: "
        "'sensitivity=medical: certified=medical', 'urgency=high: max_latency_s=2'.",
    ),
    click.option(
        "--max-share",
        "max_shares",
        multiple=True,
        metavar="MODEL=SHARE",
        help="Largest share of the prompts for a model.",
    ),
    click.option(
        "--fallback",
        help="Models by comma, first choice first, for prompts that no model can take within the "
        "limits, and for prompts unlike every domain.",
    ),
    click.option(
        "--lock",
        "locks",
        multiple=True,
        metavar="DOMAIN=MODEL",
        help="Send all prompts of a domain to one model, whatever the estimates and limits say.",
    ),
    click.option(
        "--max-loss",
        type=click.FloatRange(0.0, 1.0, max_open=True),
        help="Certify that quality falls by at most this (0.01 is one point) against the safe "
        "choice; keeps 30 % of the prompts out to prove it.",
    ),
    click.option(
        "--alpha",
        type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
        default=0.05,
        show_default=True,
        help="Largest chance that the certificate is wrong.",
    ),
)
_NAMES = (
    "quality_value_usd", "keep_quality", "models", "deny", "required_features",
    "min_context_tokens", "reference", "router", "loss_ratios",
    "min_quality", "max_latency_s", "rules", "max_shares", "fallback", "locks",
    "max_loss", "alpha",
)  # fmt: skip


def policy_options(command: _Command) -> _Command:
    """Add the options and hand them over as one `policy`."""

    @functools.wraps(command)
    def with_policy(**given: Any) -> Any:  # noqa: ANN401 - whatever the command takes and gives
        policy = _policy({name: given.pop(name) for name in _NAMES})
        return command(policy=policy, **given)

    for option in reversed(_OPTIONS):
        with_policy = option(with_policy)
    return with_policy  # pyright: ignore[reportReturnType]


def as_arguments(policy: Policy) -> list[str]:
    """Return the options of `promptshed table build` that give this policy."""
    default, day = Policy(), policy.priced_on
    singles = {
        "--quality-value-usd": policy.quality_value_usd,
        "--keep-quality": policy.keep_quality if policy.keep_quality != 1.0 else None,
        "--models": ",".join(policy.model_ids) or None,
        "--deny": ",".join(policy.deny) or None,
        "--min-context": policy.min_context_tokens,
        "--reference": policy.reference_model_id,
        "--router": policy.router if policy.router != default.router else None,
        "--loss-ratio": policy.loss_ratio,
        "--min-quality": policy.min_quality,
        "--max-latency-s": policy.max_latency_s,
        "--fallback": ",".join(policy.fallback) or None,
        "--max-loss": policy.max_loss,
        "--alpha": policy.alpha if policy.alpha != default.alpha else None,
        "--on": day,
    }
    repeated = {
        "--require": policy.required_features,
        "--loss-ratio": [f"{name}={ratio!r}" for name, ratio in policy.domain_loss_ratios],
        "--rule": policy.rules,
        "--max-share": [f"{model_id}={share!r}" for model_id, share in policy.max_share],
        "--lock": [f"{name}={model_id}" for name, model_id in policy.locks],
    }
    given = [(option, value) for option, value in singles.items() if value is not None]
    given += [(option, value) for option, values in repeated.items() for value in values]
    words = [word for option, value in given for word in (option, str(value))]
    return words if day is None else ["--reprice", *words]


def _policy(given: Mapping[str, Any]) -> Policy:
    ratios = dict(_number_of(text, "--loss-ratio") for text in given["loss_ratios"])
    if any(ratio <= 0.0 for ratio in ratios.values()):
        raise UsageError("--loss-ratio expects numbers above 0, such as 2 or code=5.")
    shares = max_shares_of(given["max_shares"])
    return Policy(
        quality_value_usd=given["quality_value_usd"],
        keep_quality=given["keep_quality"],
        model_ids=_listed(given["models"]),
        deny=_listed(given["deny"]),
        required_features=tuple(sorted(given["required_features"])),
        min_context_tokens=given["min_context_tokens"],
        reference_model_id=given["reference"],
        router=given["router"],
        loss_ratio=ratios.pop("", None),
        domain_loss_ratios=tuple(sorted(ratios.items())),
        min_quality=given["min_quality"],
        max_latency_s=given["max_latency_s"],
        rules=tuple(sorted(str(parse_rule(text)) for text in given["rules"])),
        max_share=tuple(sorted(shares.items())),
        fallback=_listed(given["fallback"]),
        locks=tuple(sorted(_lock_of(text) for text in given["locks"])),
        max_loss=given["max_loss"],
        alpha=given["alpha"],
    )


def max_shares_of(texts: Sequence[str]) -> dict[str, float]:
    """Read the values of --max-share: MODEL=SHARE each.

    Raises
    ------
    UsageError
        If one has another form, or its share is not from 0 to 1.
    """
    shares = dict(_number_of(text, "--max-share") for text in texts)
    if "" in shares or not all(0.0 <= share <= 1.0 for share in shares.values()):
        raise UsageError("--max-share expects MODEL=SHARE with a share from 0 to 1.")
    return shares


def _lock_of(text: str) -> tuple[str, str]:
    domain, _, model_id = (part.strip() for part in text.partition("="))
    if not (domain and model_id):
        raise UsageError(f"--lock expects DOMAIN=MODEL, found {text!r}.")
    return domain, model_id


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def _number_of(text: str, option: str) -> tuple[str, float]:
    """Return (name, number) of NAME=NUMBER, or ("", number) of a plain one."""
    name, _, number = text.rpartition("=")
    try:
        return name.strip(), float(number)
    except ValueError as error:
        raise UsageError(f"{option} expects a number after NAME=, found {text!r}.") from error
