import io
import json
import subprocess
import sys

import click
import pytest

from pipeline.__main__ import cli
from profiles.errors import EncoderError, PromptshedError, UsageError
from tests.support import run_command

VERBS = ["demo", "import", "discover", "domains", "profile", "table", "evaluate", "route", "export"]


def raising(monkeypatch, error):
    """Make `promptshed import` end with an error."""

    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr("pipeline.commands.importing.read_file", fail)
    monkeypatch.setattr("pipeline.commands.importing.read_mapping", fail)


def test_help_lists_every_verb(capsys):
    """`--help` and `-h` go to standard output and end well."""
    for option in ("--help", "-h"):
        code, out, err = run_command(capsys, option)
        assert (code, err) == (0, "")
        assert all(f"  {verb} " in out for verb in VERBS)
        assert "Exit codes: 0 ok" in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(capsys, verb):
    """Each verb explains itself in a sentence."""
    code, out, _ = run_command(capsys, verb, "--help")
    assert code == 0
    assert f"{verb}" in out.splitlines()[0]
    assert out.splitlines()[2].strip()


def test_the_version_is_that_of_the_package(capsys):
    """`--version` prints a number."""
    code, out, _ = run_command(capsys, "--version")
    assert code == 0
    assert out.strip()[-1].isdigit()


@pytest.mark.parametrize(
    "arguments", [["fly"], ["import"], ["import", "--fly"], ["table", "show", "x"]]
)
def test_wrong_usage_is_2(capsys, arguments):
    """An unknown verb or option, or a missing argument, is a usage error on standard error."""
    code, out, err = run_command(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Error" in err


@pytest.mark.parametrize(
    ("error", "code"),
    [(PromptshedError("broken"), 1), (EncoderError("broken"), 1), (UsageError("broken"), 2)],
)
def test_known_errors_are_one_line(capsys, monkeypatch, error, code):
    """Our own errors are printed without a traceback and have their exit code."""
    raising(monkeypatch, error)
    assert run_command(capsys, "import", "x.csv") == (code, "", "promptshed: broken\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()], ids=["ctrl-c", "abort"])
def test_an_interrupt_is_130(capsys, monkeypatch, error):
    """The message says that the same command goes on."""
    raising(monkeypatch, error)
    code, out, err = run_command(capsys, "import", "x.csv")
    assert (code, out) == (130, "")
    assert "run the same command again" in err


def test_an_unexpected_error_is_not_hidden(monkeypatch, capsys):
    """A bug keeps its traceback."""
    raising(monkeypatch, ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError, match="bug"):
        run_command(capsys, "import", "x.csv")


def test_a_closed_pipe_is_no_error(monkeypatch, capsys):
    """`promptshed … | head` ends quietly."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    raising(monkeypatch, BrokenPipeError())
    assert run_command(capsys, "import", "x.csv")[0] == 0


def test_trouble_with_the_disk_is_one_line(monkeypatch, capsys):
    """A full disk or a missing permission names the file and what to check."""
    raising(monkeypatch, PermissionError(13, "Permission denied", "locked.csv"))
    code, out, err = run_command(capsys, "import", "x.csv")
    assert (code, out) == (1, "")
    assert err.startswith("promptshed: locked.csv: Permission denied. Check the disk's space")


def test_the_group_can_be_called_from_python(tmp_path):
    """A verb's exit code is returned without standalone mode."""
    source = tmp_path / "in.csv"
    source.write_text("prompt,model,quality\nHi,a,1\nHi,b,fast\n")
    store = tmp_path / "store.duckdb"
    arguments = ["import", str(source), "--store", str(store)]
    assert cli.main(args=arguments, standalone_mode=False) == 3


def test_the_store_may_come_from_the_environment(tmp_path, capsys, monkeypatch):
    """PROMPTSHED_STORE is where data go without --store."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(tmp_path / "here.duckdb"))
    (tmp_path / "in.csv").write_text("prompt\nHi\n")
    assert run_command(capsys, "import", tmp_path / "in.csv")[0] == 0
    assert (tmp_path / "here.duckdb").exists()


def test_the_module_can_be_run(tmp_path):
    """`python -m pipeline` works from a folder without data, and prints JSON alone to stdout."""
    (tmp_path / "in.csv").write_text("prompt,model,quality\nHi,a,1\n")
    command = [sys.executable, "-m", "pipeline", "import", "in.csv", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["n_rows"] == 1
    assert (tmp_path / "data" / "promptshed.duckdb").exists()
