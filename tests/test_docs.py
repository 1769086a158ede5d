"""The README names every command, column and metric that a user meets."""

from pathlib import Path

import pytest

from pipeline.__main__ import _VERBS, cli
from profiles.tables import RECEIPT

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CI = (Path(__file__).parent.parent / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", list(_VERBS))
def test_every_verb_is_in_the_readme(verb):
    """A verb that nobody can find does not exist."""
    assert f"promptshed {verb}" in README


@pytest.mark.parametrize("column", list(RECEIPT))
def test_every_receipt_column_is_in_the_readme(column):
    """People who receive a routed file can look up its columns."""
    assert f"`{column}`" in README


@pytest.mark.parametrize("verb", list(_VERBS))
def test_every_verb_has_help(verb):
    """Each command loads and says what it does."""
    command = cli.get_command(None, verb)
    assert command is not None
    assert command.help


def test_ci_runs_the_checks_that_the_readme_names():
    """README and CI start the same script, which runs `poe check`."""
    assert "bash .ci/run" in README
    assert CI.rstrip().endswith("poe check")
