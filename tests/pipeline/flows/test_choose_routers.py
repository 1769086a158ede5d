import numpy as np
import pytest

from pipeline.endpoint import Endpoint
from pipeline.estimators.knn import NearestNeighbours
from pipeline.flows import routers
from pipeline.flows.routers import DEFAULT_ROUTERS, choose_routers, references_of, tags_of
from pipeline.flows.training import read_training_data
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.errors import NotReadyError, UsageError
from tests.support import HashEncoder, story, story_csv, story_store

EXTRA = {"references": NearestNeighbours(n_neighbours=(1,))}


def test_the_usual_routers_and_what_was_given():
    """Without names: the four, then the extra ones."""
    found = choose_routers((), EXTRA, has_domains=True)
    assert list(found) == [*DEFAULT_ROUTERS, "references"]
    assert found["references"] is EXTRA["references"]


def test_names_keep_their_order():
    """The first is the one that all are compared with."""
    assert list(choose_routers(("knn", "stack"), {}, has_domains=False)) == ["knn", "stack"]


def test_without_domains_the_rest_is_compared():
    """Tables are left out by default, and an error where they were asked for."""
    assert list(choose_routers((), {}, has_domains=False)) == ["stack", "knn"]
    with pytest.raises(UsageError, match=r"'domain_table' needs approved domains"):
        choose_routers(("domain_table",), {}, has_domains=False)


def test_an_unknown_router_is_refused():
    """The known ones are listed, those that were given too."""
    with pytest.raises(UsageError, match=r"no router 'magic'.*stack.*references"):
        choose_routers(("magic",), EXTRA, has_domains=True)


def examples(folder, lines):
    (folder / "examples.csv").write_text("prompt,label\n" + lines, encoding="utf-8")
    return read_file(folder / "examples.csv")


def test_references_are_encoded_by_label(tmp_path):
    """Buckets are numbered by sorted label; a prompt without a label is no example."""
    read = examples(tmp_path, "bake bread,kitchen\nbutter and flour,kitchen\na lease,law\nwhat,\n")
    found = references_of(Store(path=tmp_path / "s.duckdb"), HashEncoder(), read)
    assert sorted(found.buckets.tolist()) == [0, 0, 1]
    assert found.vectors.shape == (3, 32)
    with pytest.raises(NotReadyError, match="Give the file a `label` column"):
        references_of(
            Store(path=tmp_path / "s.duckdb"), HashEncoder(), examples(tmp_path, "what,\n")
        )


def test_tags_name_the_approved_domains(tmp_path, monkeypatch):
    """The endpoint is asked for every prompt with the domains' names; without domains, never."""
    asked = {}

    def tag(endpoint, texts, names, **_):
        asked.update(texts=texts, names=names)
        return dict.fromkeys(texts, 0)

    monkeypatch.setattr(routers, "tag_prompts", tag)
    endpoint = Endpoint(url="http://h", model="m")
    data = read_training_data(story_store(tmp_path, n_per_topic=4, publish=False), HashEncoder())
    tags = tags_of(endpoint, data)
    assert sorted(asked["names"]) == ["kitchen", "law", "python"]
    assert tags.place(_prompts(data.texts)).argmax(axis=1).tolist() == [0] * 12
    (tmp_path / "bare.csv").write_text(story_csv(story(2), label=False), encoding="utf-8")
    bare = Store(path=tmp_path / "bare.duckdb")
    bare.append(*read_file(tmp_path / "bare.csv").tables())
    with pytest.raises(NotReadyError, match="Tagging needs approved domains"):
        tags_of(endpoint, read_training_data(bare, HashEncoder()))


def _prompts(texts):
    from pipeline.estimators.base import Prompts

    return Prompts(
        texts=texts,
        vectors=np.ones((len(texts), 1), dtype=np.float32),
        memberships=np.ones((len(texts), 1)),
    )
