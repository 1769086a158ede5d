"""The routers that `evaluate` compares, by name."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.embed import Encoder
from pipeline.endpoint import Endpoint
from pipeline.estimators.base import Estimator
from pipeline.estimators.bucket_table import References, Tags
from pipeline.estimators.domain_table import DomainTable
from pipeline.estimators.inference_dynamics import InferenceDynamics
from pipeline.estimators.knn import NearestNeighbours
from pipeline.estimators.mixllm import MixLlm
from pipeline.estimators.stack import Stack
from pipeline.estimators.strong_weak import StrongWeak
from pipeline.flows.axes import learn_capabilities
from pipeline.flows.encoding import vectors_of
from pipeline.flows.training import TrainingData
from pipeline.ingest import Ingest
from pipeline.progress import progress_bar
from pipeline.store import Store
from pipeline.tagger import tag_prompts
from profiles.errors import NotReadyError, UsageError

DEFAULT_ROUTERS = ("stack", "domain_table", "soft_domain_table", "knn")
ROUTERS: Mapping[str, Estimator] = {
    "stack": Stack(),
    "domain_table": DomainTable(soft=False),
    "soft_domain_table": DomainTable(soft=True),
    "knn": NearestNeighbours(),
    "inference_dynamics": InferenceDynamics(capabilities=learn_capabilities),
    "mixllm": MixLlm(),
    "strong_weak": StrongWeak(),
}
_NEED_DOMAINS = ("domain_table", "soft_domain_table", "inference_dynamics")


def choose_routers(
    names: Sequence[str], extra: Mapping[str, Estimator], *, has_domains: bool
) -> dict[str, Estimator]:
    """Return the routers to compare, in the order of their names.

    Parameters
    ----------
    names
        Empty: the usual ones and all extra ones.
    extra
        Routers that were given something, such as reference prompts; they win over `ROUTERS`.

    Raises
    ------
    UsageError
        If a name is unknown, or was asked for and needs domains that are not there.
    """
    known = {**ROUTERS, **extra}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"There is no router {unknown[0]!r}. Known: {', '.join(known)}.")
    without = [name for name in names if name in _NEED_DOMAINS and not has_domains]
    if without:
        raise UsageError(
            f"The router {without[0]!r} needs approved domains. Run `promptshed domains approve` "
            "or `promptshed domains from-labels` first, or leave it out."
        )
    wanted = names or (*DEFAULT_ROUTERS, *(name for name in extra if name not in DEFAULT_ROUTERS))
    return {name: known[name] for name in wanted if has_domains or name not in _NEED_DOMAINS}


def references_of(store: Store, encoder: Encoder, examples: Ingest) -> References:
    """Return a router of the example prompts in a file, which are encoded once.

    Raises
    ------
    NotReadyError
        If no prompt of the file has a label.
    """
    labelled = examples.prompts.drop_nulls("label").sort("prompt_id")
    if labelled.is_empty():
        raise NotReadyError(
            "No example prompt has a label. Give the file a `label` column: the bucket that each "
            "prompt is an example of."
        )
    names = labelled["label"].unique().sort().to_list()
    return References(
        vectors=vectors_of(
            store, encoder, labelled["prompt_id"].to_list(), labelled["text"].to_list()
        ),
        buckets=np.array([names.index(label) for label in labelled["label"]], dtype=np.int64),
    )


def tags_of(endpoint: Endpoint, data: TrainingData) -> Tags:
    """Return a router of the domains that a language model says the prompts belong to.

    Raises
    ------
    NotReadyError
        If there are no approved domains to choose from.
    EndpointError
        If the endpoint fails.
    """
    names = data.domains["name"].to_list()
    if not names:
        raise NotReadyError(
            "Tagging needs approved domains to choose from. Run `promptshed domains approve` first."
        )
    bar = progress_bar("tag", len(data.texts))
    bucket_of = tag_prompts(endpoint, data.texts, names, on_tagged=lambda: bar.update(1))
    bar.close()
    return Tags(bucket_of=bucket_of, n_buckets=len(names))
