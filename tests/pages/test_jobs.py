"""Jobs that a page starts: real processes, their records, and what the pages show of them."""

import shutil
import time
from pathlib import Path

import pytest

from pages.ui.jobs import choose_file
from pipeline.commands.exporting import export_command
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
    shown, files, *_ = (table.value for table in app.dataframe)
    assert shown.columns.to_list() == ["prompt", "model", "quality"]  # the file that is named
    assert "more.csv" in files["File"].to_list()


def test_a_path_without_a_file_is_refused(store, monkeypatch):
    """The page says so, and the buttons stay off."""
    app = opened("batch", store.path, monkeypatch)
    typed(app, "Or a path on this machine", "/nowhere/at/all.csv")
    app.run()
    assert "no file" in app.error[0].value
    starting = [button for button in app.button if button.label in {"Dry run", "Route it"}]
    assert [button.disabled for button in starting] == [True, True]


def test_a_running_job_can_be_cancelled(store, monkeypatch):
    """Its count is shown, and one button stops it; the page itself has no other."""
    with recorded(store.path, ["route", "in.csv"]) as end:
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
    sneaky = files / ".." / ".." / "secret.csv"
    for path, n_offered in ((files / "routed.csv", 1), (tmp_path / "secret.csv", 1), (sneaky, 1)):
        path.write_text("a\n1\n")
        with recorded(store.path, ["route", "in.csv", "-o", str(path)]) as end:
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


class Upload:
    """What Streamlit hands over; it can be read as often as the page runs."""

    file_id = "../id-1"

    def __init__(self, name, content=b"prompt\nHi\n"):
        self.name, self.content = name, content

    def getbuffer(self):
        return memoryview(self.content)


@pytest.fixture
def upload(store, monkeypatch):
    """Return a function that uploads and gives the kept path."""
    monkeypatch.setenv("PROMPTSHED_STORE", str(store.path))
    monkeypatch.setattr("streamlit.text_input", lambda *_a, **_k: "")

    def give(*arguments):
        monkeypatch.setattr("streamlit.file_uploader", lambda *_a, **_k: Upload(*arguments))
        return choose_file("File", key="x")

    return give


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("logs.csv", "logs.csv"),
        ("../../evil.csv", "evil.csv"),
        ("..", "file"),
        ("a\0b;$(rm).csv", "a-b-rm-.csv"),
        ("=cmd().csv", "cmd-.csv"),
    ],
)
def test_an_upload_stays_in_its_folder(upload, store, name, kept):
    """Whatever its name holds, it is one file beside the store."""
    path = upload(name)
    assert path.name == kept
    assert path.parent.parent == folder_of(store.path.resolve()) / "files"
    assert path.read_bytes() == b"prompt\nHi\n"


def test_an_upload_is_written_once(upload):
    """The page runs again while a job reads the file: it must stay as it is."""
    path = upload("logs.csv")
    written = path.stat().st_mtime_ns
    assert upload("logs.csv") == path
    assert path.stat().st_mtime_ns == written


@pytest.mark.model
def test_a_budget_is_handed_over_to_the_cent(store, tmp_path, monkeypatch):
    """Rounding it up would spend more than was allowed."""
    path = tmp_path / "in.csv"
    path.write_text("prompt\nHi\n")
    app = opened("batch", store.path, monkeypatch)
    typed(app, "Or a path on this machine", str(path))
    app.number_input[0].set_value(1234567.89).run()
    press(app, "Route it")
    given = ended(store).arguments
    assert given[given.index("--budget-usd") + 1] == "1234567.89"
    assert not app.exception


def test_every_format_of_the_command_line_can_be_written_from_the_page(store, monkeypatch):
    """ONNX too; where its package is missing, the job fails and shows what to install."""
    started = []
    monkeypatch.setattr("pages.ui.jobs.start_job", lambda _path, words: started.append(words))
    app = opened("policy", store.path, monkeypatch)
    [command_line] = [option for option in export_command.params if option.name == "form"]
    form = app.selectbox(key="export-form")
    assert form.options == list(command_line.type.choices)
    form.set_value("onnx").run()
    press(app, "Write the files")
    assert started[0][:3] == ["export", "--to", "onnx"]
