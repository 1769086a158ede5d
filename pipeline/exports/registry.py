"""Every format by the name that `promptshed export --to` takes."""

from collections.abc import Mapping

from pipeline.exports import labels, litellm
from pipeline.exports.label_map import Projection
from pipeline.exports.semantic_router import as_semantic_router
from pipeline.exports.vllm_sr import as_vllm_sr

MAY, MUST = "may", "must"
_LABELS_ONLY = (
    "expected quality and cost, any refinement prompt by prompt, and how a domain is found: the "
    "caller sends its id."
)
_EXAMPLES_ONLY = (
    "expected quality and cost, any refinement, and our way of finding a domain: the service "
    "compares with the examples, which chooses otherwise for some prompts."
)
_TABLE_ONLY = "how a prompt's domain is found, and any refinement prompt by prompt."

PROJECTIONS: Mapping[str, Projection] = {
    "csv": Projection(write=lambda t: {"routing_table.csv": labels.as_csv(t)}, loses=_TABLE_ONLY),
    "parquet": Projection(
        write=lambda t: {"routing_table.parquet": labels.as_parquet(t)}, loses=_TABLE_ONLY
    ),
    "yaml": Projection(
        write=lambda t: {"routing_table.yaml": labels.as_plain_yaml(t)},
        loses=f"{_TABLE_ONLY} Intervals and counts are in csv and parquet.",
    ),
    "litellm": Projection(write=litellm.as_labels, loses=f"{_LABELS_ONLY} Add each model's key."),
    "litellm-plugin": Projection(
        write=litellm.as_plugin,
        loses=(
            "any refinement prompt by prompt, and fallbacks by prompt: they are by model. It "
            "decides as the artefact beside it. Add each model's key and the embeddings endpoint."
        ),
    ),
    "litellm-semantic": Projection(
        write=litellm.as_semantic,
        loses=f"{_EXAMPLES_ONLY} Add each model's key and the encoder's address. LiteLLM calls "
        "this router deprecated.",
        exemplars=MUST,
    ),
    "vllm-sr": Projection(
        write=as_vllm_sr,
        loses=(
            "the ranking, mixtures of domains, and refusal: every prompt goes to the first model "
            "of its likeliest domain. With examples, those are compared first."
        ),
        exemplars=MAY,
    ),
    "semantic-router": Projection(write=as_semantic_router, loses=_EXAMPLES_ONLY, exemplars=MUST),
    "openrouter": Projection(
        write=lambda t: {"models_by_domain.json": labels.as_openrouter(t)}, loses=_LABELS_ONLY
    ),
    "portkey": Projection(
        write=lambda t: {"portkey_config.json": labels.as_portkey(t)},
        loses=f"{_LABELS_ONLY} Add each target's provider and key.",
    ),
    "envoy": Projection(
        write=lambda t: {"ai_gateway_route.yaml": labels.as_envoy(t)},
        loses=f"{_LABELS_ONLY} Add parentRefs and the backends.",
    ),
}
