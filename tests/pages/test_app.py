"""The pages, on stores of every kind."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import format as text
from pipeline.config import Policy
from pipeline.flows.tables import build_table, publish_table
from pipeline.store import Store
from profiles.tables import OUTCOMES, PROMPTS
from tests.conftest import HOSTILE, N_PROMPTS, N_WAITING, STAGES, WAITING_TOPIC, WordEncoder

ROOT = Path(__file__).parents[2]
PAGES = {
    "overview": "Overview",
    "runs": "Data & runs",
    "prompt_map": "Map",
    "inbox": "Review inbox",
    "domains": "Domains",
    "models": "Models",
    "policy": "Policy",
    "regret": "Regret",
    "batch": "Batch",
    "drift": "Drift & coverage",
}
_TIMEOUT_S = 30


def started(store: Path, monkeypatch) -> AppTest:
    monkeypatch.setenv("PROMPTSHED_STORE", str(store))
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=_TIMEOUT_S).run()


def opened(page: str, store: Path, monkeypatch, /, **query: str) -> AppTest:
    app = started(store, monkeypatch)
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def visited(store: Path, monkeypatch) -> Iterator[tuple[str, AppTest]]:
    """Open every page in turn in one session, and check that none raises."""
    app = started(store, monkeypatch)
    for page in PAGES:
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception, page
        yield page, app


def codes(app: AppTest) -> str:
    return "\n".join(code.value for code in app.code)


def test_every_page_opens_on_a_filled_store(tiny_store, monkeypatch):
    """No page raises, each has its title, and the sidebar names store, run and table."""
    for page, app in visited(tiny_store.path, monkeypatch):
        assert app.title[0].value == PAGES[page]
        shown = [element.value for element in app.sidebar.text]
        assert app.sidebar.selectbox[0].value == "published.duckdb"
        assert f"{N_PROMPTS} prompts" in shown[0]
        assert shown[1].startswith("version 2")


def test_every_page_says_what_to_do_without_a_store(tmp_path, monkeypatch):
    """An absent store is an empty one, and nothing is written to it."""
    for page, app in visited(tmp_path / "none.duckdb", monkeypatch):
        assert app.title[0].value == PAGES[page]
        assert "promptshed demo" in codes(app), page
        assert "promptshed import FILE" in codes(app), page
    assert not (tmp_path / "none.duckdb").exists()


def test_every_page_says_what_to_do_on_an_empty_store(tmp_path, monkeypatch):
    """A store with tables but no rows counts as empty."""
    store = Store(path=tmp_path / "empty.duckdb")
    store.append((PROMPTS, PROMPTS.empty()))
    for page, app in visited(store.path, monkeypatch):
        assert "promptshed demo" in codes(app), page


@pytest.mark.parametrize("stage", STAGES)
def test_every_page_opens_at_every_stage(stage, stages, monkeypatch):
    """Half-finished stores show what is there, or the next step."""
    for page, app in visited(stages[stage], monkeypatch):
        assert app.title[0].value == PAGES[page]


@pytest.mark.parametrize("kind", ["garbage", "cut", "another database", "folder", "busy"])
def test_a_broken_store_is_a_message_and_no_traceback(kind, tiny_store, tmp_path, monkeypatch):
    """Every page says which file is broken and what to do."""
    path = tmp_path / "broken.duckdb"
    if kind == "garbage":
        path.write_bytes(b"not a database" * 1000)
    elif kind == "cut":
        path.write_bytes(tiny_store.path.read_bytes()[:200_000])
    elif kind == "another database":
        duckdb.connect(path).close()  # noqa: TID251 - a file that is not ours
    elif kind == "folder":
        path.mkdir()
    else:
        shutil.copy(tiny_store.path, path)
        monkeypatch.setattr("pages.ui.reads._BUSY_WAIT_S", 0.05)
    with holding(path) if kind == "busy" else contextlib.nullcontext():
        for page, app in visited(path, monkeypatch):
            assert app.title[0].value == "The store cannot be read", page
            assert str(path) in codes(app)
            assert kind != "busy" or "is busy" in codes(app)


@contextlib.contextmanager
def holding(path: Path) -> Iterator[None]:
    """Let another process have the store open for writing."""
    script = f"import duckdb; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        yield
        other.stdin.close()


def test_the_overview_finds_what_the_table_gains(tiny_store, monkeypatch):
    """The finding names the models, the gain and where the numbers come from."""
    app = opened("overview", tiny_store.path, monkeypatch)
    finding, footnote = app.main.markdown[0].value, app.main.caption[0].value
    assert "small\\/two" in finding
    assert "95 % interval" in finding
    assert "training prompts" in footnote
    assert [metric.value for metric in app.metric][2:] == [str(N_PROMPTS), "1"]
    assert "promptshed domains approve" in codes(app)


def test_the_address_names_a_domain(tiny_store, monkeypatch):
    """`?domain=cluster-3` opens the waiting cluster, with outcomes of its own prompts."""
    app = opened("domains", tiny_store.path, monkeypatch, domain="cluster-3")
    assert app.selectbox[0].value == "cluster-3"
    assert app.subheader[0].value == WAITING_TOPIC
    models = app.dataframe[1].value
    assert models["n"].to_list() == [N_WAITING] * 3
    assert models["$ per 1,000"].isna().to_list() == [False, False, True]


def test_an_address_with_an_unknown_domain_says_so(tiny_store, monkeypatch):
    """A stale link shows a warning and another domain, not an error."""
    app = opened("domains", tiny_store.path, monkeypatch, domain="dom-gone")
    assert not app.exception
    assert len(app.warning) == 1


def test_prompts_and_names_are_shown_letter_by_letter(tiny_store, monkeypatch):
    """A hostile prompt is plain text; a hostile name has no live Markdown."""
    app = opened("domains", tiny_store.path, monkeypatch)
    assert any(HOSTILE in element.value for element in app.text)
    assert HOSTILE not in "".join(element.value for element in app.markdown)
    assert app.subheader[0].value == text.as_markdown(HOSTILE)
    assert not any(element.proto.allow_html for element in app.markdown)


def test_the_policy_page_compares_versions(tiny_store, monkeypatch):
    """The two versions are listed, and their difference is shown."""
    app = opened("policy", tiny_store.path, monkeypatch, view="Versions")
    versions = app.dataframe[0].value
    assert versions["Version"].to_list() == [2, 1]
    assert [box.value for box in app.main.selectbox] == [1, 2]
    assert set(app.dataframe[1].value["Change"]) == {"changed"}


def test_the_policy_page_shows_the_certificate(tiny_store, tmp_path, monkeypatch):
    """One line says what was certified on how many prompts; a table without one has no line."""
    path = Path(shutil.copy(tiny_store.path, tmp_path / "certified.duckdb"))

    def lines():
        app = opened("policy", path, monkeypatch)
        return [e.value for e in app.main.markdown if "ertified" in e.value]

    assert lines() == []
    store = Store(path=path)
    publish_table(store, build_table(store, WordEncoder(), Policy(max_loss=0.5)))
    (line,) = lines()
    assert line.startswith("Certified: against the safe choice it loses at most")
    assert "with 95 % confidence" in line


def test_models_can_be_looked_at_by_cost(tiny_store, monkeypatch):
    """Choosing another measure redraws the page without an error."""
    app = opened("models", tiny_store.path, monkeypatch)
    for measure in ("Difference", "Cost", "n"):
        app.button_group[0].set_value([measure]).run()
        assert not app.exception


def test_a_changed_store_is_read_again(tiny_store, tmp_path, monkeypatch):
    """A cached read is never older than the file."""
    path = Path(shutil.copy(tiny_store.path, tmp_path / "changing.duckdb"))
    app = opened("overview", path, monkeypatch)
    more = [{"prompt_id": "new", "text": "new", "label": None}]
    Store(path=path).append((PROMPTS, pl.DataFrame(more, schema=PROMPTS.schema)))
    app.run()
    assert app.metric[2].value == str(N_PROMPTS + 1)


def test_pages_load_no_model_library(tiny_store):
    """Opening every page leaves sklearn, UMAP, HDBSCAN and PyTorch unloaded."""
    script = f"""
import os, sys
os.environ["PROMPTSHED_STORE"] = {str(tiny_store.path)!r}
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=30).run()
for page in {list(PAGES)!r}:
    assert not app.switch_page(f"pages/{{page}}.py").run().exception
heavy = ("sklearn", "umap", "hdbscan", "torch", "sentence_transformers", "numba")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_overview_says_what_the_log_did(tiny_store, tmp_path, monkeypatch):
    """A row beside the table where one model answered each prompt; else why there is none."""
    path = Path(shutil.copy(tiny_store.path, tmp_path / "logged.duckdb"))
    app = opened("overview", path, monkeypatch)
    assert "current, as logged" not in app.dataframe[0].value["For every prompt"].to_list()
    assert "is not known" in app.main.caption[-1].value
    logged = {"model_id": "small/two", "quality": 0.5, "cost_usd": 0.002}
    rows = [logged | {"prompt_id": f"n{n}", "request_id": f"n{n}"} for n in range(N_PROMPTS + 1)]
    Store(path=path).append((OUTCOMES, pl.DataFrame(rows, schema=dict(OUTCOMES.schema))))
    app = opened("overview", path, monkeypatch)
    row = app.dataframe[0].value.set_index("For every prompt").loc["current, as logged"]
    assert (row["Quality"], row["$ per 1,000"]) == pytest.approx((0.5, 2.0))
    assert f"{N_PROMPTS + 1} prompts that one model" in app.main.caption[-1].value
