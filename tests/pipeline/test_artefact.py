import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from pipeline.artefact import (
    SAMPLE_TEXTS,
    SCHEMA_FILE,
    Artefact,
    conformance_rows,
    table_json,
    write_artefact,
)
from pipeline.flows.tables import load_model
from pipeline.table import decide
from profiles.tables import BUCKETS, TABLE_ENTRIES
from tests.support import HashEncoder, story, story_store


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    """The published table of the story."""
    store = story_store(tmp_path_factory.mktemp("artefact"))
    meta, model = load_model(store)
    return Artefact(
        meta=meta,
        buckets=store.read(BUCKETS, table_version=1),
        entries=store.read(TABLE_ENTRIES, table_version=1),
        model=model,
    )


def validate(value):
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(json.loads(json.dumps(value, allow_nan=False)))


def test_the_json_is_what_its_schema_says(artefact):
    """The published schema is a valid one and describes the table."""
    found = table_json(artefact)
    validate(found)
    assert found["models"] == ["large", "medium", "small"]
    assert found["reference_model"] == "large"
    assert [bucket["name"] for bucket in found["buckets"]][-1] == "unassigned"
    assert found["encoder"]["name"] == "hash"
    assert found["encoder"]["n_dims"] == 32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": []}, "should be non-empty"),
        ({"extra": 1}, "'extra' was unexpected"),
        ({"temperature": 0}, "less than or equal to the minimum of 0"),
    ],
)
def test_the_schema_refuses_what_is_none(artefact, change, message):
    """No models, unknown members and a temperature of 0 are not a table."""
    with pytest.raises(jsonschema.ValidationError, match=message):
        validate(table_json(artefact) | change)


def test_unknown_numbers_are_null(artefact):
    """Infinite value and unknown costs are null in the JSON, never 0 and never NaN."""
    unknown = replace(
        artefact,
        model=replace(
            artefact.model, terms=replace(artefact.model.terms, quality_value_usd=float("inf"))
        ),
        entries=artefact.entries.with_columns(cost_usd=None, margin_usd=None),
        meta=artefact.meta | {"published_at": None},
    )
    found = table_json(unknown)
    validate(found)
    assert found["quality_value_usd"] is None
    assert found["published_at"] is None
    assert {entry["cost_usd"] for b in found["buckets"] for entry in b["ranking"]} == {None}


def test_files_are_written_whole(artefact, tmp_path):
    """Four files, the same bytes every time, and nothing else in the folder."""
    folder = tmp_path / "new" / "table"
    paths = write_artefact(artefact, folder, HashEncoder())
    assert sorted(folder.iterdir()) == sorted(paths)
    before = [path.read_bytes() for path in paths]
    write_artefact(artefact, folder, HashEncoder())
    assert [path.read_bytes() for path in paths] == before


def test_no_prompt_is_exported(artefact, tmp_path):
    """No file holds the text of a prompt in the store."""
    for path in write_artefact(artefact, tmp_path, HashEncoder()):
        content = path.read_bytes()
        assert not any(prompt.text.encode() in content for prompt in story(30))


def test_conformance_rows_are_decisions(artefact):
    """Each row is what this package decides, texts first, then vectors alone."""
    rows = conformance_rows(artefact.model, HashEncoder())
    assert len(rows) > 40
    vectors = np.array([row["vector"] for row in rows], dtype=np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(rows)), abs=1e-5)
    by_table = replace(artefact.model, router=None)
    found = decide([""] * len(rows), vectors, by_table)
    assert found["model"].to_list() == [row["model"] for row in rows]
    texts = [row["text"] for row in rows if row["text"] is not None]
    assert set(texts) <= set(SAMPLE_TEXTS)


def test_conformance_rows_meet_every_bucket(artefact):
    """Every domain and the refusal of strangers are among the examples."""
    found = {row["domain_id"] for row in conformance_rows(artefact.model, HashEncoder())}
    assert found == {*artefact.model.domain_ids, "unassigned"}


def test_examples_at_a_threshold_are_left_out(artefact):
    """A radius exactly at a prototype's own cosine could be decided either way by rounding."""
    n_rows = len(conformance_rows(artefact.model, HashEncoder()))
    at_the_edge = replace(
        artefact.model,
        assigner=replace(artefact.model.assigner, radii=np.ones(3, dtype=np.float32)),
    )
    assert len(conformance_rows(at_the_edge, HashEncoder())) == n_rows - 3
