"""Jobs that a page starts: real processes, their records, and what the pages show of them."""

import shutil
import time
from pathlib import Path

import pytest

from pages.ui.jobs import choose_file
from pipeline.jobs import RUNNING, folder_of, read_jobs, recorded
from pipeline.store import Store
from profiles.tables import IMPORTS
from tests.pages.test_app import codes, opened
from tests.pages.test_review import press, typed

_PATIENCE_S = 60


@pytest.fixture
def store(tiny_store, tmp_path):
    """Return a copy that may be written."""
    return Store(path=Path(shutil.copy(tiny_store.path, tmp_path / "copy.duckdb")))


def ended(store):
    """Wait for the newest job."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        jobs = read_jobs(store.path)
        if jobs and jobs[0].state != RUNNING:
            return jobs[0]
        time.sleep(0.1)
    raise AssertionError(read_jobs(store.path))


def test_a_file_is_imported_from_the_page(store, tmp_path, monkeypatch):
    """Checking stores nothing; importing does, in a process of its own, with its output shown."""
    path = tmp_path / "more.csv"
    path.write_text("prompt,model,quality\nHow are you?,small/two,1\n")
    app = opened("runs", store.path, monkeypatch)
    n_before = store.count(IMPORTS)
    for button, n_more in (("Check the file", 0), ("Import it", 1)):
        typed(app, "Or a path on this machine", str(path))
        app.run()
        press(app, button)
        assert ended(store).exit_code == 0
        assert store.count(IMPORTS) == n_before + n_more
    app.run()
    assert not app.exception
    assert "1 rows, 1 prompts, 1 outcomes" in codes(app)
    assert "more.csv" in app.dataframe[0].value["File"].to_list()


def test_a_path_without_a_file_is_refused(store, monkeypatch):
    """The page says so, and the buttons stay off."""
    app = opened("batch", store.path, monkeypatch)
    typed(app, "Or a path on this machine", "/nowhere/at/all.csv")
    app.run()
    assert "no file" in app.error[0].value
    assert all(button.disabled for button in app.button)


def test_a_running_job_can_be_cancelled(store, monkeypatch):
    """Its count is shown, and one button stops it; the page itself has no other."""
    with recorded(store.path, ["route", "in.csv"], alone=False) as end:
        app = opened("batch", store.path, monkeypatch)
        assert "running" in " ".join(element.value for element in app.markdown)
        assert [button.label for button in app.button].count("Cancel") == 1
        end(130)
    app.run()
    assert "cancelled" in " ".join(element.value for element in app.markdown)
    assert "Cancel" not in [button.label for button in app.button]


def test_only_files_written_here_are_offered(store, tmp_path, monkeypatch):
    """A record that names any other file of the machine gives no download."""
    files = folder_of(store.path) / "files"
    files.mkdir(parents=True)
    for path, n_offered in ((files / "routed.csv", 1), (tmp_path / "secret.csv", 1)):
        path.write_text("a\n1\n")
        with recorded(store.path, ["route", "in.csv", "-o", str(path)], alone=False) as end:
            end(0)
        app = opened("batch", store.path, monkeypatch)
        assert len(app.get("download_button")) == n_offered


@pytest.mark.model
def test_a_job_that_fails_shows_why(store, tmp_path, monkeypatch):
    """The tiny store's table is of another encoder, which the command line refuses."""
    path = tmp_path / "in.csv"
    path.write_text("prompt\nHi\n")
    app = opened("batch", store.path, monkeypatch)
    typed(app, "Or a path on this machine", str(path))
    app.run()
    press(app, "Route it")
    assert ended(store).exit_code == 2
    assert "was built with the encoder words:1" in codes(app.run())


def test_uploads_keep_no_folder_of_their_name(store, monkeypatch):
    """A name with a path in it stays inside the folder of files."""

    class Upload:
        name = "../../evil.csv"

        def getbuffer(self):
            return b"prompt\nHi\n"

    monkeypatch.setenv("PROMPTSHED_STORE", str(store.path))
    monkeypatch.setattr("streamlit.file_uploader", lambda *_a, **_k: Upload())
    monkeypatch.setattr("streamlit.text_input", lambda *_a, **_k: "")
    path = choose_file("File", key="x")
    assert path == folder_of(store.path.resolve()) / "files" / "evil.csv"
    assert path.read_bytes() == b"prompt\nHi\n"
