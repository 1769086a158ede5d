"""Profile: what is known of each model in each domain and capability, and of two models."""

import numpy as np
import polars as pl

from pipeline.config import digest
from pipeline.embed import Encoder
from pipeline.flows.axes import capability_elements
from pipeline.flows.clock import now
from pipeline.flows.training import TrainingData, fitted_memberships, read_training_data
from pipeline.price import ListPrices, price_outcomes
from pipeline.store import Store
from profiles.compare import compare_models
from profiles.profile import ALL, UNASSIGNED, build_profile
from profiles.tables import OUTCOMES, PROFILE_CELLS, PROFILES


def profile(store: Store, encoder: Encoder, *, at: ListPrices | None = None) -> str:
    """Profile every model in every approved domain and capability; returns the profile's id.

    The same outcomes, domains and prices give the same profile, kept once.

    Parameters
    ----------
    at
        Take costs as tokens at these prices, wherever both are known.
    """
    data = read_training_data(store, encoder)
    outcomes = price_outcomes(store.read(OUTCOMES), at)
    in_domains = build_profile(outcomes, domain_elements(data))
    in_capabilities = build_profile(outcomes, capability_elements(data))
    cells = pl.concat([in_domains, in_capabilities.remove(element=ALL)])
    profile_id = "prof-" + digest(encoder.encoder_id, cells.write_json())
    row = {
        "profile_id": profile_id,
        "created_at": now(),
        "encoder_id": encoder.encoder_id,
        "n_prompts": len(data.prompt_ids),
    }
    store.append(
        (PROFILES, pl.DataFrame([row], schema=PROFILES.schema)),
        (PROFILE_CELLS, cells.with_columns(profile_id=pl.lit(profile_id))),
    )
    return profile_id


def compare(store: Store, encoder: Encoder, *, model_id: str, other_id: str) -> pl.DataFrame:
    """Compare two models prompt by prompt in every domain and capability."""
    data, outcomes = read_training_data(store, encoder), store.read(OUTCOMES)
    in_domains = compare_models(
        outcomes, domain_elements(data), model_id=model_id, other_id=other_id
    )
    in_capabilities = compare_models(
        outcomes, capability_elements(data), model_id=model_id, other_id=other_id
    )
    return pl.concat([in_domains, in_capabilities.remove(element=ALL)])


def domain_elements(data: TrainingData) -> pl.DataFrame:
    """Return the likeliest domain of each prompt, by an assigner that has not seen it."""
    _, memberships = fitted_memberships(data)
    names = np.array([*data.domains["domain_id"], UNASSIGNED], dtype=object)
    return pl.DataFrame(
        {"prompt_id": data.prompt_ids, "element": names[memberships.argmax(axis=1)]},
        schema={"prompt_id": pl.String, "element": pl.String},
    )
