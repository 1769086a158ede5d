"""What the map shows: where every prompt lies, and what some of them may be coloured by."""

from collections.abc import Mapping, Sequence

import polars as pl

from pipeline.atlas import map_frame
from pipeline.store import Store
from pipeline.table import first_choices
from pipeline.taxonomy import APPROVED, domains_now
from profiles.tables import BUCKETS, CLUSTERS, DOMAIN_EVENTS, TABLE_ENTRIES

COLUMNS: Mapping[str, str] = {
    "label": "any_value(label) FROM prompts",
    "n_characters": "any_value(length(text))::DOUBLE FROM prompts",
    "n_requests": "count(*)::DOUBLE FROM requests",
    "quality": "avg(quality) FROM outcomes",
    "cost_usd": "avg(cost_usd) FROM outcomes",
    "latency_s": "avg(latency_s) FROM outcomes",
    "n_tokens_in": "avg(n_tokens_in) FROM outcomes",
    "n_tokens_out": "avg(n_tokens_out) FROM outcomes",
}
"""What is stored of prompts, of their requests, or of their outcomes with all models (means)."""


def read_points(store: Store, run_id: str, version: int) -> pl.DataFrame:
    """Return every prompt of a run with its place and groups; see `pipeline.atlas.map_frame`.

    Parameters
    ----------
    version
        The table that says which model a domain gets; 0 for none.
    """
    with store.reading():
        approved = domains_now(store.read(DOMAIN_EVENTS)).filter(pl.col("status") == APPROVED)
        domains = approved.sort("updated_at", "domain_id")
        members = store.query(
            "WITH owners AS (SELECT prompt_id, max(place) AS place FROM member_sets JOIN "
            "(SELECT unnest($sets::VARCHAR[]) AS member_set_id, unnest($places) AS place) "
            "USING (member_set_id) GROUP BY prompt_id) "
            "SELECT prompt_id, x, y, cluster_id, coalesce(place, -1) AS place FROM members "
            "LEFT JOIN owners USING (prompt_id) WHERE run_id = $run_id ORDER BY prompt_id",
            {
                "sets": domains["member_set_id"].to_list(),
                "places": list(range(domains.height)),
                "run_id": run_id,
            },
        )
        choices = first_choices(
            store.read(BUCKETS, table_version=version),
            store.read(TABLE_ENTRIES, table_version=version),
        )
        return map_frame(members, store.read(CLUSTERS, run_id=run_id), domains, choices)


def read_column(store: Store, column: str, prompt_ids: Sequence[str]) -> pl.DataFrame:
    """Return prompt_id and value of those prompts where one of `COLUMNS` is known."""
    found = store.query(
        f"SELECT prompt_id, {COLUMNS[column]} SEMI JOIN (SELECT unnest($ids) AS prompt_id) "
        "USING (prompt_id) GROUP BY prompt_id",
        {"ids": list(prompt_ids)},
    )
    return found.rename({found.columns[1]: "value"}).drop_nulls("value")


def known_columns(store: Store) -> tuple[str, ...]:
    """Return the `COLUMNS` of which anything is known."""
    counts = store.query(
        "SELECT (SELECT count(label) FROM prompts) AS label, "
        "(SELECT count(*) FROM prompts) AS n_characters, "
        "(SELECT count(*) FROM requests) AS n_requests, count(quality) AS quality, "
        "count(cost_usd) AS cost_usd, count(latency_s) AS latency_s, "
        "count(n_tokens_in) AS n_tokens_in, count(n_tokens_out) AS n_tokens_out FROM outcomes"
    ).row(0, named=True)
    return tuple(name for name in COLUMNS if counts[name])
