import numpy as np
import pytest

from pipeline.flows.logs import score_logs
from pipeline.ingest import read_file
from pipeline.store import Store
from profiles.errors import NotReadyError
from tests.support import MODELS, TRUTH, HashEncoder, story


def log_csv(prompts, *, explored=1.0, seed=0):
    """Return a log in which a share of the calls goes to a model drawn at random, alike."""
    generator = np.random.default_rng(seed)
    lines = ["prompt,model,quality,cost_usd,propensity"]
    for prompt in prompts:
        drawn = generator.random() < explored
        model = generator.choice(list(MODELS)) if drawn else "large"
        chance = f"{1 / 3:.4f}" if drawn else ""
        lines.append(f"{prompt.text},{model},{prompt.quality[model]},{MODELS[model]},{chance}")
    return "\n".join(lines) + "\n"


def store_of(folder, text):
    (folder / "log.csv").write_text(text, encoding="utf-8")
    store = Store(path=folder / "store.duckdb")
    store.append(*read_file(folder / "log.csv").tables())
    return store


def test_a_log_with_exploration_values_routers(tmp_path):
    """One model per prompt, drawn at random: the stack is worth more than the log itself."""
    store = store_of(tmp_path, log_csv(story(200)))
    found = score_logs(store, HashEncoder(), n_seeds=2)
    assert (found.n_outcomes, found.n_explored) == (600, 600)
    truth = np.mean([share for topic in TRUTH.values() for share in topic.values()])
    assert found.logged.mean == pytest.approx(truth, abs=0.07)
    values = {value.router: value for value in found.routers}
    assert set(values) == {"stack", "knn"}
    stack = values["stack"]
    assert stack.doubly_robust.lo > found.logged.hi
    assert stack.snips.lo < stack.doubly_robust.mean < stack.snips.hi
    assert 0.2 < stack.overlap < 0.5


def test_only_calls_drawn_at_random_count(tmp_path):
    """Of a log that explores on every other prompt, the other half is learned from, not scored."""
    store = store_of(tmp_path, log_csv(story(100), explored=0.5))
    found = score_logs(store, HashEncoder(), n_seeds=1)
    assert found.n_outcomes == 300
    assert 100 < found.n_explored < 200


def test_without_exploration_the_number_cannot_be_known(tmp_path):
    """The message counts what there is and says what to log."""
    store = store_of(tmp_path, log_csv(story(50), explored=0.0))
    with pytest.raises(NotReadyError, match=r"cannot be known .* 0 of 150 outcomes .*propensity"):
        score_logs(store, HashEncoder())
