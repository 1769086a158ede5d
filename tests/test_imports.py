import json
import subprocess
import sys

SLOW = ("torch", "sklearn", "umap", "hdbscan", "sentence_transformers", "streamlit", "plotly")


def loaded_after(code):
    """Return which slow libraries a fresh process has loaded."""
    tail = f"\nimport json, sys; print(json.dumps([m for m in {SLOW!r} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_command_line_loads_no_model_library():
    """Importing the command line is quick."""
    assert loaded_after("import pipeline.__main__") == []


def test_help_loads_no_model_library():
    """Asking what the verbs do waits for none of them."""
    code = """
import pipeline.__main__
for verb in ([], ["import"], ["table", "show"], ["domains"], ["route"], ["evaluate"], ["demo"]):
    try:
        pipeline.__main__.main([*verb, "--help"])
    except SystemExit as end:
        assert end.code == 0
"""
    assert loaded_after(code) == []


def test_applying_a_table_needs_no_model_library():
    """Deciding from vectors is NumPy and polars alone."""
    assert loaded_after("import pipeline.table, pipeline.artefact, pipeline.batch") == []


def test_nouns_load_no_verb_and_no_database():
    """`profiles` stands alone."""
    code = "import sys, profiles.profile, profiles.outcomes\n"
    code += "assert not {'duckdb', 'pipeline', 'click'} & set(sys.modules)"
    assert loaded_after(code) == []
