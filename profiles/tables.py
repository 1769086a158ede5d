"""Schema and key of every table in the store: the only place where a column is declared."""

import polars as pl

from profiles.table import Table

UTC_TIME = pl.Datetime("us", "UTC")
FLOATS = pl.List(pl.Float32)

IMPORTS = Table(
    name="imports",
    schema=pl.Schema(
        {
            "import_id": pl.String,  # digest of the file's bytes and the mapping
            "file_digest": pl.String,  # of the bytes alone
            "file_name": pl.String,
            "imported_at": UTC_TIME,
            "n_rows": pl.Int64,
            "n_rejected": pl.Int64,
            "mapping": pl.String,  # JSON
        }
    ),
    key=("import_id",),
)

PROMPTS = Table(
    name="prompts",
    schema=pl.Schema(
        {
            "prompt_id": pl.String,  # digest of the normalised text
            "text": pl.String,  # what is encoded: the last user turn, then the system prompt
            "label": pl.String,  # a category that came with the data; null is unknown
        }
    ),
    key=("prompt_id",),
)

REQUESTS = Table(
    name="requests",
    schema=pl.Schema(
        {
            "request_id": pl.String,  # as given, or a digest of the row
            "prompt_id": pl.String,
            "import_id": pl.String,
            "occurred_at": UTC_TIME,  # null where not logged
            "external_id": pl.String,  # the prompt's id in the file, as given
            "payload": pl.String,  # JSON of the whole chat; null for a plain prompt
        }
    ),
    key=("request_id",),
)

OUTCOMES = Table(
    name="outcomes",
    schema=pl.Schema(
        {
            "prompt_id": pl.String,
            "model_id": pl.String,
            "request_id": pl.String,
            "quality": pl.Float64,  # in [0, 1], higher is better; null is unknown
            "cost_usd": pl.Float64,
            "latency_s": pl.Float64,
            "n_tokens_in": pl.Int64,
            "n_tokens_out": pl.Int64,
            "propensity": pl.Float64,  # chance in (0, 1] of this pick; null is unknown
        }
    ),
    key=("prompt_id", "model_id", "request_id"),
)

VECTORS = Table(
    name="vectors",
    schema=pl.Schema({"encoder_id": pl.String, "prompt_id": pl.String, "vector": FLOATS}),
    key=("encoder_id", "prompt_id"),
)

RUNS = Table(
    name="runs",
    schema=pl.Schema(
        {
            "run_id": pl.String,  # digest of config, encoder and inputs
            "created_at": UTC_TIME,
            "asked_at": UTC_TIME,  # the last time: the run asked for last is the one shown
            "encoder_id": pl.String,
            "config": pl.String,  # JSON
            "n_prompts": pl.Int64,
            "n_clusters": pl.Int64,
            "n_unclustered": pl.Int64,
            "n_copies": pl.Int64,  # near-duplicates that followed another prompt
            "n_extended": pl.Int64,  # prompts above the cap, put into the clusters of a sample
            "agreement": pl.Float64,  # of that with clustering, held out; null without a sample
            "agreement_lo": pl.Float64,  # 95 % interval
            "agreement_hi": pl.Float64,
            "sweep": pl.String,  # JSON: one row for each granularity that was tried
            "duration_s": pl.Float64,
        }
    ),
    key=("run_id",),
)

CLUSTERS = Table(
    name="clusters",
    schema=pl.Schema(
        {
            "run_id": pl.String,
            "cluster_id": pl.Int64,  # 0, 1, … by falling size; noise has no row
            "name": pl.String,
            "names": pl.List(pl.String),  # other candidates
            "parents": pl.List(pl.String),  # names of the groups it is in, the finer one first
            "n_prompts": pl.Int64,
            "cohesion": pl.Float64,  # mean cosine of members to the prototype
            "medoid_prompt_id": pl.String,
            "exemplar_prompt_ids": pl.List(pl.String),
            "border_prompt_ids": pl.List(pl.String),
        }
    ),
    key=("run_id", "cluster_id"),
)

MEMBERS = Table(
    name="members",
    schema=pl.Schema(
        {
            "run_id": pl.String,
            "prompt_id": pl.String,
            "cluster_id": pl.Int64,  # -1 is noise
            "x": pl.Float32,  # map coordinates, for the eye only
            "y": pl.Float32,
        }
    ),
    key=("run_id", "prompt_id"),
)

DOMAIN_EVENTS = Table(
    name="domain_events",
    schema=pl.Schema(
        {
            "event_id": pl.Int64,  # 1, 2, … in the order they happened
            "decision_id": pl.Int64,  # first event of the decision: undo takes all of it back
            "verb": pl.String,  # see pipeline.taxonomy
            "domain_id": pl.String,  # null for the rejection of a cluster
            "other_id": pl.String,  # merged into that domain, or split from it
            "name": pl.String,
            "member_set_id": pl.String,
            "run_id": pl.String,  # the newest run when the set was decided; null for a label
            "cluster_id": pl.Int64,  # of that run; null where the set is no cluster
            "undoes": pl.Int64,  # the decision that an undo takes back
            "actor": pl.String,
            "reason": pl.String,
            "occurred_at": UTC_TIME,
        }
    ),
    key=("event_id",),
    numbered=True,
)

MEMBER_SETS = Table(
    name="member_sets",
    schema=pl.Schema({"member_set_id": pl.String, "prompt_id": pl.String}),
    key=("member_set_id", "prompt_id"),
)

DOMAINS = Table(  # not stored: folded from the events
    name="domains",
    schema=pl.Schema(
        {
            "domain_id": pl.String,  # permanent
            "name": pl.String,
            "status": pl.String,  # approved or retired
            "member_set_id": pl.String,
            "approved_by": pl.String,
            "updated_at": UTC_TIME,
            "run_id": pl.String,
            "cluster_id": pl.Int64,
            "merged_into": pl.String,  # the domain that has its prompts now; null for most
        }
    ),
    key=("domain_id",),
)

PROFILES = Table(
    name="profiles",
    schema=pl.Schema(
        {
            "profile_id": pl.String,
            "created_at": UTC_TIME,
            "encoder_id": pl.String,
            "n_prompts": pl.Int64,
        }
    ),
    key=("profile_id",),
)

PROFILE_CELLS = Table(
    name="profile_cells",
    schema=pl.Schema(
        {
            "profile_id": pl.String,
            "model_id": pl.String,
            "element": pl.String,  # a domain_id, "unassigned", "all" or "capability:…"
            "n": pl.Int64,  # outcomes with a known quality
            "quality": pl.Float64,  # shrunk mean, in [0, 1]; null where n is 0 everywhere
            "quality_lo": pl.Float64,  # 95 % interval
            "quality_hi": pl.Float64,
            "quality_raw": pl.Float64,  # plain mean; null where n is 0
            "n_cost": pl.Int64,
            "cost_usd": pl.Float64,  # mean of known costs; null where none is known
            "n_tokens_in": pl.Float64,
            "n_tokens_out": pl.Float64,
            "latency_p50_s": pl.Float64,
            "latency_p95_s": pl.Float64,
        }
    ),
    key=("profile_id", "element", "model_id"),
)

ROUTING_TABLES = Table(
    name="routing_tables",
    schema=pl.Schema(
        {
            "table_version": pl.Int64,  # 1, 2, …; immutable
            "input_digest": pl.String,  # the same inputs keep their number
            "created_at": UTC_TIME,
            "published_at": UTC_TIME,  # null is a draft; the newest published one is current
            "encoder_id": pl.String,
            "policy": pl.String,  # JSON
            "reference_model_id": pl.String,  # best single model: the safe choice
            "quality_value_usd": pl.Float64,  # US dollars that one unit of quality is worth
            "n_prompts": pl.Int64,
            "temperature": pl.Float64,  # of the assigner's softmax
            "held_out": pl.String,  # JSON: cross-fitted scores, see pipeline.expected
            "rules": pl.String,  # JSON, see pipeline.axes.rules; null: there are none
            "certificate": pl.String,  # JSON, see pipeline.certificate; null: none was asked for
            "study_id": pl.String,  # what the trade-off was chosen on
        }
    ),
    key=("table_version",),
    numbered=True,
)

BUCKETS = Table(
    name="buckets",
    schema=pl.Schema(
        {
            "table_version": pl.Int64,
            "bucket": pl.Int64,  # row of every matrix; the last one is "unassigned"
            "domain_id": pl.String,
            "name": pl.String,
            "n_prompts": pl.Int64,  # approved members; training prompts for "unassigned"
            "prototype": FLOATS,  # unit mean vector; empty for "unassigned"
            "radius": pl.Float64,  # least cosine to the prototype that is accepted
            "weights": FLOATS,  # of the assigner
            "intercept": pl.Float64,
            "z": pl.Float64,  # standard errors an advantage over the reference must exceed
            "lock": pl.String,  # model that all its prompts go to; null: the best one
        }
    ),
    key=("table_version", "bucket"),
)

TABLE_ENTRIES = Table(
    name="table_entries",
    schema=pl.Schema(
        {
            "table_version": pl.Int64,
            "bucket": pl.Int64,
            "rank": pl.Int64,  # 1 is the model that is chosen
            "model_id": pl.String,
            "quality": pl.Float64,  # expected, in [0, 1]
            "advantage": pl.Float64,  # quality minus that of the reference model, shrunk
            "advantage_lo": pl.Float64,  # 95 % interval
            "advantage_hi": pl.Float64,
            "cost_usd": pl.Float64,  # expected per prompt; null is unknown
            "n": pl.Float64,  # effective number of paired outcomes
            "latency_s": pl.Float64,  # expected; null is unknown
            "surcharge": pl.Float64,  # units of quality, for a place within the model's share
            "margin_usd": pl.Float64,  # value lost by taking the next model instead
            "reason": pl.String,
        }
    ),
    key=("table_version", "bucket", "rank"),
)

ROUTERS = Table(
    name="routers",
    schema=pl.Schema(
        {
            "table_version": pl.Int64,  # absent where the table alone decides
            "packed": pl.Binary,  # safetensors, as `pipeline.packing` writes them
        }
    ),
    key=("table_version",),
)

STUDIES = Table(
    name="studies",
    schema=pl.Schema(
        {
            "study_id": pl.String,  # digest of the bytes: tables of one fit share a study
            "packed": pl.Binary,  # safetensors, as `pipeline.study` writes them
        }
    ),
    key=("study_id",),
)

MODELS = Table(  # not stored: read from models files
    name="models",
    schema=pl.Schema(
        {
            "model_id": pl.String,
            "context_tokens": pl.Int64,  # null is unknown, here and below
            "features": pl.List(pl.String),
            "certifications": pl.List(pl.String),
            "source_url": pl.String,
            "checked_on": pl.Date,
        }
    ),
    key=("model_id",),
)

MODEL_PRICES = Table(  # not stored: read from models files
    name="model_prices",
    schema=pl.Schema(
        {
            "model_id": pl.String,
            "since": pl.Date,  # in force from this day to the next one of the model
            "price_in_usd_per_mtok": pl.Float64,  # US dollars for a million tokens
            "price_out_usd_per_mtok": pl.Float64,
            "batch_price_in_usd_per_mtok": pl.Float64,  # of batch jobs; null is unknown
            "batch_price_out_usd_per_mtok": pl.Float64,
            "source_url": pl.String,
            "checked_on": pl.Date,
        }
    ),
    key=("model_id", "since"),
)

RECEIPT = pl.Schema(
    {
        "model": pl.String,
        "domain": pl.String,
        "confidence": pl.Float64,
        "expected_quality": pl.Float64,
        "quality_lo": pl.Float64,  # 95 % interval of the mean on such prompts
        "quality_hi": pl.Float64,
        "expected_cost_usd": pl.Float64,
        "fallback": pl.String,  # the runner-up
        "fallbacks": pl.List(pl.String),  # whom to try, in order, if `model` fails
        "reason": pl.String,
        "propensity": pl.Float64,  # chance in (0, 1] that this row got this model
        "table_version": pl.Int64,
    }
)
"""Columns that routing adds to a row."""

STORED = (
    IMPORTS,
    PROMPTS,
    REQUESTS,
    OUTCOMES,
    VECTORS,
    RUNS,
    CLUSTERS,
    MEMBERS,
    DOMAIN_EVENTS,
    MEMBER_SETS,
    PROFILES,
    PROFILE_CELLS,
    ROUTING_TABLES,
    BUCKETS,
    TABLE_ENTRIES,
    ROUTERS,
    STUDIES,
)
"""Every table in the store, in the order in which they are made."""
