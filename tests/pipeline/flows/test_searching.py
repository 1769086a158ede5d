"""Prompts nearest in meaning, and the encoder that is kept loaded for it."""

import sys
import time

import numpy as np
import polars as pl
import pytest

from pipeline.encoders import load_encoder
from pipeline.flows.searching import nearest_prompts
from pipeline.flows.warm_encoder import WarmEncoder
from pipeline.store import Store
from profiles.errors import EncoderError, NotReadyError
from profiles.tables import PROMPTS, VECTORS
from tests.conftest import WordEncoder

_SCRIPT = """
from pipeline.flows.warm_encoder import answer_lines
from tests.conftest import WordEncoder
answer_lines(WordEncoder())
"""
WORDS = (sys.executable, "-c", _SCRIPT)


@pytest.fixture
def store(tmp_path):
    """Return a store of four prompts in the plane, one of them with another encoder's vector."""
    store = Store(path=tmp_path / "plane.duckdb")
    vectors = {"a": [1.0, 0.0], "b": [0.6, 0.8], "c": [0.0, 1.0], "d": [-1.0, 0.0]}
    prompts = pl.DataFrame({"prompt_id": [*vectors, "e"], "text": [*vectors, "e"]})
    store.append(
        (PROMPTS, pl.concat([PROMPTS.empty(), prompts], how="diagonal")),
        (
            VECTORS,
            pl.DataFrame(
                {
                    "prompt_id": [*vectors, "e"],
                    "encoder_id": [*["plane"] * 4, "other"],
                    "vector": [*vectors.values(), [1.0, 0.0]],
                },
                schema=VECTORS.schema,
            ),
        ),
    )
    return store


def test_the_nearest_come_first(store):
    """By the cosine; ties by prompt; vectors of another encoder do not count."""
    found = nearest_prompts(store, "plane", np.array([0.6, 0.8], dtype=np.float32), 3)
    assert found["prompt_id"].to_list() == ["b", "c", "a"]
    assert found["cosine"].to_list() == pytest.approx([1.0, 0.8, 0.6])


def test_without_vectors_the_next_step_is_named(store):
    """A store that was never encoded says so."""
    with pytest.raises(NotReadyError, match="promptshed discover"):
        nearest_prompts(store, "unknown", np.array([1.0, 0.0], dtype=np.float32), 3)


@pytest.fixture
def warm():
    encoder = WarmEncoder(wait_s=60, command=WORDS)
    yield encoder
    encoder.close()


def test_a_warm_encoder_answers_as_the_encoder_itself(warm):
    """Line breaks and foreign letters reach it; the process stays between questions."""
    for text in ("refund invoice", 'two\nlines "quoted" ünï', ""):
        encoder_id, vector = warm.encode(text)
        assert encoder_id == "words:1"
        assert vector.tolist() == WordEncoder().encode([text])[0].tolist()
    process = warm._process
    warm.encode("again")
    assert warm._process is process


def test_a_process_that_was_killed_is_started_again(warm):
    """Nothing is lost with it."""
    warm.encode("one")
    warm._process.kill()
    warm._process.wait()
    assert warm.encode("two")[0] == "words:1"


def test_the_process_ends_when_nobody_asks(warm):
    """So that the memory is free again."""
    warm.idle_s = 0.1
    warm.encode("one")
    process = warm._process
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is not None


def test_an_encoder_that_is_silent_is_given_up():
    """No page waits for ever, and nothing is left running."""
    silent = WarmEncoder(wait_s=0.2, command=(sys.executable, "-c", "input(); input(); input()"))
    with pytest.raises(EncoderError, match="no answer within"):
        silent.encode("anyone there?")
    assert silent._process is None


def test_an_encoder_that_ends_at_once_is_told():
    """With what to do next."""
    broken = WarmEncoder(wait_s=30, command=(sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(EncoderError, match="promptshed doctor"):
        broken.encode("anyone there?")


@pytest.mark.model
@pytest.mark.slow
def test_the_default_encoder_is_the_one_that_is_kept_loaded():
    """The same vector to the last bit as in this process."""
    warm = WarmEncoder(wait_s=200)
    warm.warm()
    encoder_id, vector = warm.encode("refund an invoice")
    warm.close()
    encoder = load_encoder()
    assert encoder_id == encoder.encoder_id
    assert vector.tolist() == encoder.encode(["refund an invoice"])[0].tolist()
