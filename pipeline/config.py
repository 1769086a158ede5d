"""Every knob of a run, frozen, and the digest that names the run."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class ProjectConfig:
    """UMAP settings for clustering (McInnes et al. 2018, arXiv 1802.03426)."""

    variance_share: float = 0.75
    """Neighbours are sought in as few principal components as hold this share of the variance."""
    least_components: int = 32
    """But in no fewer: a few tell only the largest topics apart, and then their wordings."""
    n_neighbors: int = 15
    n_components: int = 10
    n_descents: int = 8
    """Descents whose mean is clustered."""
    n_epochs: int = 30
    """Length of each."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """HDBSCAN settings; sizes count prompts."""

    min_cluster_size: int | None = None
    """None: chosen by the sweep and the rule in `pipeline.cluster.choose_granularity`."""
    method: Literal["eom", "leaf"] = "eom"
    """How clusters are taken from the tree: by excess of mass, or its leaves, which cut an even
    group to pieces."""


@dataclass(frozen=True, kw_only=True)
class DiscoverConfig:
    """One discovery: projection, clustering and naming."""

    project: ProjectConfig = field(default_factory=ProjectConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    copy_cosine: float = 0.97
    """Prompts at least this alike are copies of one, see `pipeline.duplicates`."""
    cap: int = 50_000
    """Most prompts that are clustered; of more, a sample of that size is, and the others are put
    into its clusters."""


@dataclass(frozen=True, kw_only=True)
class AssignConfig:
    """The assigner: a multinomial logistic model with a share of rejected members."""

    inverse_regularisation: float = 10.0
    rejected_share: float = 0.05
    """Share of a domain's own held-out members that may be refused as `unassigned`."""
    balance: float = 0.5
    """A member weighs its domain's size to the power of minus this; 0: all weigh the same."""
    n_folds: int = 5
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the routing table optimises and what it may use; models are named by id."""

    quality_value_usd: float | None = None
    """US dollars that one unit of quality (0 to 1) is worth on one prompt. None: the cheapest
    setting that keeps the reference model's quality times `keep_quality` on held-out folds."""
    keep_quality: float = 1.0
    model_ids: tuple[str, ...] = ()
    """The only models that may be used; empty: all."""
    deny: tuple[str, ...] = ()
    """Models that may not be used."""
    required_features: tuple[str, ...] = ()
    """What a model must be known to have, such as "tools"."""
    min_context_tokens: int | None = None
    """Smallest known context window of a model."""
    reference_model_id: str | None = None
    """The safe choice; None: the best single model."""
    router: Literal["stack", "table"] = "stack"
    """What estimates quality and cost of a prompt: the stack of smoothers, or the domain table
    alone, which is also what an exported table does."""
    loss_ratio: float | None = None
    """Cost of a bad switch away from the safe choice over the value of a good one. None: the
    guard is chosen on held-out folds."""
    domain_loss_ratios: tuple[tuple[str, float], ...] = ()
    """Other ratios for some domains, by name or id."""
    min_quality: float | None = None
    """Lowest expected quality of a model on a prompt."""
    max_latency_s: float | None = None
    """Highest expected latency of a model on a prompt."""
    rules: tuple[str, ...] = ()
    """Which models prompts of some kind may go to, see `pipeline.axes.rules.parse_rule`."""
    max_share: tuple[tuple[str, float], ...] = ()
    """Largest share of the prompts for some models."""
    fallback: tuple[str, ...] = ()
    """Models, first choice first, for prompts that none can take within the limits, and for
    unassigned ones. Empty: the reference model, and a limit that cannot be kept is an error."""
    locks: tuple[tuple[str, str], ...] = ()
    """Domains, by name or id, whose prompts all go to one model: whatever limits say, but not
    against a rule."""
    max_loss: float | None = None
    """Certify that the mean loss of quality against the reference model is at most this; None:
    no certificate."""
    alpha: float = 0.05
    """Largest chance that the certificate is wrong."""
    priced_on: str | None = None
    """Day whose list prices the costs were taken at, as YYYY-MM-DD; None: as recorded."""


def read_policy(text: str) -> Policy:
    """Return the policy that `as_json` wrote.

    >>> read_policy(as_json(Policy(max_share=(("a", 0.5),)))) == Policy(max_share=(("a", 0.5),))
    True
    """

    def frozen(value: Any) -> Any:  # noqa: ANN401 - any JSON
        return tuple(frozen(item) for item in value) if isinstance(value, list) else value

    return Policy(**{name: frozen(value) for name, value in json.loads(text).items()})


def as_json(config: object) -> str:
    """Return a config as JSON with sorted keys, the same text for equal configs."""
    return json.dumps(asdict(config), sort_keys=True)  # pyright: ignore[reportArgumentType]


def digest(*parts: str) -> str:
    """Return 16 hex digits that name these texts in this order."""
    joined = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=8).hexdigest()
