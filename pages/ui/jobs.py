"""Long verbs started from a page: their progress, their output, and how to stop them."""

import io
import os
import re
import shlex
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from pages.ui import access, reads, review
from pages.ui import format as text
from pipeline.atomic import replaced_file
from pipeline.jobs import (
    CANCELLED,
    DIED,
    DONE,
    FAILED,
    RUNNING,
    Job,
    cancel_job,
    folder_of,
    log_of,
    read_jobs,
    start_job,
)

_POLL_EVERY = "1s"
_MOST_SHOWN = 6
_MOST_DOWNLOADED = 200_000_000
_UNSAFE = re.compile(r"[^\w.-]+")
_KINDS = ("csv", "eval", "json", "jsonl", "ndjson", "parquet", "gz", "zst")
_ICONS = {
    RUNNING: ":material/progress_activity:",
    DONE: ":material/check_circle:",
    FAILED: ":material/error:",
    CANCELLED: ":material/cancel:",
    DIED: ":material/error:",
}


def start(done: str, arguments: Sequence[str]) -> None:
    """Start a verb of the command line and show the page anew."""
    review.act(done, lambda: start_job(reads.store().path.resolve(), arguments))


def files_folder() -> Path:
    """Return where uploaded and routed files are kept, beside the store."""
    return folder_of(reads.store().path.resolve()) / "files"


def new_file(name: str) -> Path:
    """Return a path for a file of this name that no job has yet; its folder is made."""
    folder = files_folder() / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / _safe(name)


def choose_file(label: str, *, key: str) -> Path | None:
    """Let a file be uploaded, or named where it lies on the server; None if there is none yet."""
    uploaded = st.file_uploader(label, type=_KINDS, key=f"{key}-upload")
    named = st.text_input(
        "Or a path on this machine",
        key=f"{key}-path",
        placeholder="/data/logs.jsonl",
        help="For files too large to upload: nothing is copied.",
    )
    if uploaded is not None and access.may_decide():
        return kept(uploaded.file_id, uploaded.name, uploaded.getbuffer())
    if not named:
        return None
    path = Path(os.path.expanduser(named))  # noqa: PTH111 - leaves an unknown user's name as it is
    if not path.is_file():
        st.error(f"There is no file at {text.as_markdown(named)}.")
        return None
    return path.resolve()


def kept(upload_id: str, name: str, content: memoryview) -> Path:
    """Write an upload once, whole, under its own name: a job may be reading it by now."""
    folder = files_folder() / _safe(upload_id)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _safe(name)
    if not path.exists():
        with replaced_file(path) as temporary:
            temporary.write_bytes(content)
    return path


def _safe(name: str) -> str:
    """Return a file name without folders or anything a shell or a file system trips over."""
    return _UNSAFE.sub("-", Path(name).name).lstrip(".-") or "file"


def written_by(job: Job) -> Path | None:
    """Return what a job has written into `files_folder`; None for any other file of the machine."""
    if "-o" not in job.arguments[:-1]:
        return None
    written = Path(job.arguments[job.arguments.index("-o") + 1]).resolve()
    return written if written.exists() and written.is_relative_to(files_folder()) else None


def offer_file(written: Path, *, key: str, label: str = "") -> None:
    """Offer one file for download."""
    if written.stat().st_size > _MOST_DOWNLOADED:
        st.caption(f"Too large for the browser: {text.as_markdown(str(written))}")
        return
    st.download_button(
        label or f"Download {text.as_markdown(written.name)}",
        written.read_bytes,
        file_name=written.name,
        key=key,
        on_click="ignore",  # a run that it starts would forget the file before it is fetched
        icon=":material/download:",
    )


def offer_folder(folder: Path, *, key: str) -> None:
    """Offer the files of a folder for download as one archive."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if sum(path.stat().st_size for path in files) > _MOST_DOWNLOADED:
        st.caption(f"Too large for the browser: {text.as_markdown(str(folder))}")
        return
    st.caption(text.as_markdown(", ".join(path.name for path in files)))
    st.download_button(
        f"Download {text.counted(len(files), 'file')} as one archive",
        lambda: _archive(files),
        file_name=f"{folder.name}.zip",
        mime="application/zip",
        key=key,
        on_click="ignore",
        icon=":material/folder_zip:",
    )


def _archive(files: Sequence[Path]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.name)
    return packed.getvalue()


def panel(
    verbs: Sequence[str],
    *,
    result: Callable[[Job], None] | None = None,
    most: int = _MOST_SHOWN,
    heading: str | None = None,
) -> None:
    """Show the newest jobs of some verbs; polls only while one of them runs.

    With a heading of its own it shows nothing where there was none. `result` is called for each job
    that has ended. Only jobs that run are drawn again by the poll: Streamlit forgets what a
    download button stands for when the button is drawn again, and a click meanwhile is refused.
    """
    jobs = _jobs(verbs)
    if heading is not None:
        if not jobs:
            return
        st.subheader(heading)
    running = [job for job in jobs if job.state == RUNNING]
    if running:
        st.fragment(_running, run_every=_POLL_EVERY)(verbs, tuple(job.job_id for job in running))
    if not jobs:
        st.caption("No job was started yet.")
    ended = [job for job in jobs if job.state != RUNNING]
    for job in ended[: max(most - len(running), 1)]:
        with st.container(border=True, gap="small"):
            _job(job, says_what=result is None)
            if result is not None:
                result(job)


def is_running(verbs: Sequence[str]) -> bool:
    """Tell whether a job of these verbs runs."""
    return any(job.state == RUNNING for job in _jobs(verbs))


def _running(verbs: Sequence[str], known: Sequence[str]) -> None:
    """Show the jobs that run; the whole page anew when one of them has ended, or another began."""
    running = [job for job in _jobs(verbs) if job.state == RUNNING]
    if [job.job_id for job in running] != list(known):
        st.rerun()
    for job in running:
        with st.container(border=True, gap="small"):
            _job(job, says_what=False)


def _job(job: Job, *, says_what: bool) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        with st.container(gap=None, width="content"):
            st.markdown(f"{_ICONS[job.state]} **{text.as_markdown(job.verb)}** · {job.state}")
            words = job.arguments[1:2] if job.verb in {"route", "import"} else ()
            files = [Path(word).name for word in words if not word.startswith("-")]
            named = "".join(f"{text.as_markdown(file)} · " for file in files)
            st.caption(
                f"{named}started {job.started_at.replace('T', ' ').removesuffix('+00:00')} UTC"
            )
        if job.state == RUNNING and access.may_decide():
            st.button("Cancel", key=f"cancel-{job.job_id}", on_click=cancel_job, args=(job,))
    if job.state == RUNNING:
        _progress(job)
    log = log_of(reads.store().path.resolve(), job)
    if log and says_what and job.state == DONE:
        st.text(log.splitlines()[-1])
    if log:
        with st.expander("What it printed", expanded=job.state == FAILED):
            st.code(log, language=None, wrap_lines=True)
    with st.expander("As a command"):
        st.code(command_line(job.arguments), language=None, wrap_lines=True)


def command_line(arguments: Sequence[str]) -> str:
    """Return a verb as it would be typed in a shell."""
    return shlex.join(["promptshed", *arguments])


def _progress(job: Job) -> None:
    counted = f"{job.counting}: {text.count(job.n_done)}" if job.counting else "starting"
    if job.n_total:
        st.progress(
            min(job.n_done / job.n_total, 1.0), text=f"{counted} of {text.count(job.n_total)}"
        )
    else:
        st.caption(counted)


def _jobs(verbs: Sequence[str]) -> list[Job]:
    return [job for job in read_jobs(reads.store().path.resolve()) if job.verb in verbs]
