import json
import shutil
import sys

import pytest

from pipeline.exports.registry import MUST, PROJECTIONS
from tests.support import run_command, story, story_store, use_fake_encoder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("built"), n_per_topic=12).path


@pytest.fixture
def run(built, tmp_path, capsys, monkeypatch):
    encoder = use_fake_encoder(monkeypatch)
    path = shutil.copy(built, tmp_path / "store.duckdb")

    def run(*arguments):
        return run_command(capsys, "export", *arguments, "--store", path)

    run.encoder = encoder
    return run


def test_the_current_table_is_exported(run, tmp_path):
    """Standard output lists the files; none of them holds a prompt."""
    code, out, err = run("-o", tmp_path / "table")
    assert code == 0
    paths = out.split()
    assert sorted(paths) == sorted(str(path) for path in (tmp_path / "table").iterdir())
    assert err == "Table 1; no prompt text is in it. Nothing is lost.\n"
    assert json.loads((tmp_path / "table" / "routing_table.json").read_text())["table_version"] == 1
    texts = [prompt.text.encode() for prompt in story(12)]
    for path in (tmp_path / "table").iterdir():
        assert not any(text in path.read_bytes() for text in texts)


WITHOUT = [name for name, each in PROJECTIONS.items() if each.exemplars != MUST]
WITH = [name for name, each in PROJECTIONS.items() if each.exemplars is not None]


def contents(folder):
    return b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize("form", WITHOUT)
def test_other_formats_say_what_they_lose(run, tmp_path, form):
    """No file holds any prompt; the loss is told on standard error."""
    code, out, err = run("--to", form, "-o", tmp_path / "table")
    assert code == 0
    assert sorted(out.split()) == sorted(str(path) for path in (tmp_path / "table").iterdir())
    assert "no prompt text is in it. What is lost: " in err
    assert not any(prompt.text.encode() in contents(tmp_path / "table") for prompt in story(12))


@pytest.mark.parametrize("form", WITH)
def test_exemplars_leave_only_on_request(run, tmp_path, form):
    """In full as they were logged; redacted without a digit; the message says which."""
    full = run("--to", form, "-o", tmp_path / "full", "--exemplars", "full")
    masked = run("--to", form, "-o", tmp_path / "masked", "--exemplars", "redacted")
    assert (full[0], masked[0]) == (0, 0)
    assert "holds logged prompts as they are" in full[2]
    assert "holds masked prompts: read them" in masked[2]
    texts = [prompt.text for prompt in story(12)]
    assert sum(text.encode() in contents(tmp_path / "full") for text in texts) >= 3
    assert not any(text.encode() in contents(tmp_path / "masked") for text in texts)


@pytest.mark.parametrize("form", sorted(set(PROJECTIONS) - set(WITHOUT)))
def test_a_format_that_needs_exemplars_refuses_to_do_without(run, tmp_path, form):
    """The error names the option, and formats that need none."""
    code, _, err = run("--to", form, "-o", tmp_path / "table")
    assert code == 2
    assert "--exemplars redacted or --exemplars full" in err
    assert not (tmp_path / "table").exists()


def test_a_format_without_a_place_for_exemplars_refuses_them(run, tmp_path):
    """Nothing is asked for in vain."""
    code, _, err = run("--to", "csv", "-o", tmp_path / "table", "--exemplars", "full")
    assert code == 2
    assert "no place for examples" in err


def test_the_graph_comes_with_the_artefact_it_follows(run, tmp_path):
    """A runtime loads it; all that is lost is what the artefact loses."""
    runtime = pytest.importorskip("onnxruntime")
    code, out, err = run("--to", "onnx", "-o", tmp_path / "table")
    assert (code, str(tmp_path / "table" / "router.onnx") in out.split()) == (0, True)
    assert err == "Table 1; no prompt text is in it. Nothing is lost.\n"
    graph = runtime.InferenceSession(tmp_path / "table" / "router.onnx")
    told = json.loads((tmp_path / "table" / "routing_table.json").read_text(encoding="utf-8"))
    about = graph.get_modelmeta().custom_metadata_map
    assert about == {"encoder": told["encoder"]["id"], "table_version": "1"}


def test_the_graph_needs_an_extra(run, tmp_path, monkeypatch):
    """Without it nothing is written, and the message says what to install."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, out, err = run("--to", "onnx", "-o", tmp_path / "table")
    assert (code, out) == (2, "")
    assert "pip install 'promptshed[onnx]'" in err
    assert not (tmp_path / "table").exists()


def test_the_plugin_comes_with_the_artefact_it_reads(run, tmp_path):
    """One folder is all that LiteLLM needs."""
    run("--to", "litellm-plugin", "-o", tmp_path / "table")
    names = {path.name for path in (tmp_path / "table").iterdir()}
    assert names >= {"config.yaml", "litellm_plugin.py", "routing_table.json", "conformance.jsonl"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "-o"),
        (["-o", "x", "--to", "magic"], "--to"),
        (["-o", "x", "--version", "9"], "table list"),
    ],
)
def test_wrong_usage_is_2(run, tmp_path, monkeypatch, arguments, word):
    """Nothing is written then."""
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert word in err
    assert not (tmp_path / "x").exists()


def test_another_encoder_is_refused(run, tmp_path):
    """The vectors of the examples must be those of the table."""
    run.encoder.encoder_id = "other"
    code, _, err = run("-o", tmp_path / "table")
    assert code == 2
    assert "--encoder" in err


def test_without_a_published_table_the_next_step_is_named(capsys, tmp_path, monkeypatch):
    """Nothing is exported from an empty store."""
    use_fake_encoder(monkeypatch)
    arguments = ("-o", tmp_path / "table", "--store", tmp_path / "none.duckdb")
    code, out, err = run_command(capsys, "export", *arguments)
    assert (code, out) == (1, "")
    assert "promptshed table build --publish" in err
