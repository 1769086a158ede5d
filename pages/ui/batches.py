"""Batch files for a provider from a routed file, and the provider's results back as outcomes."""

from pathlib import Path

import streamlit as st

from pages.ui import jobs, reads, routed
from pipeline.emitting import MANIFEST
from pipeline.jobs import DONE, Job, read_jobs
from pipeline.requests import FORMS

_TEMPLATE = "max_tokens: 512\n# system: You are brief.\n# models: {large/one: gpt-5}\n"
_EMIT, _MERGE = ["batch", "emit"], ["batch", "merge"]


def emitting() -> None:
    """Let batch files be written for one provider from a file that was routed here."""
    files = routed.finished()
    if not files:
        st.info("Route a file first: batch files are made of a routed one.", icon=":material/info:")
        return
    with st.form("emit", border=False):
        left, right = st.columns(2)
        source = left.selectbox("Routed file", [path for _, path in files], format_func=_named)
        provider = right.selectbox(
            "Provider",
            list(FORMS),
            format_func=lambda form: form.removesuffix("-batch").title(),
            help="The OpenAI form is also taken by Azure, vLLM, Together and Groq.",
        )
        models = st.multiselect(
            "Models",
            reads.model_ids(),
            placeholder="all models of the file",
            help="Choose those that this provider serves; write files for the others apart.",
        )
        template = st.text_area(
            "What all requests have in common (YAML)",
            _TEMPLATE,
            help="system, max_tokens, temperature, tools, extra; models gives the provider's own "
            "names. What is not said is left to the provider.",
        )
        if st.form_submit_button("Write batch files", type="primary"):
            folder = jobs.new_file(f"{source.name.split('.')[0]}-{provider}")
            request = folder.with_name("request.yml")
            request.write_text(template, encoding="utf-8")
            chosen = [word for model in models for word in ("--model", model)]
            arguments = ["--to", provider, "-o", str(folder), "--request", str(request), *chosen]
            jobs.start("Writing batch files", [*_EMIT, str(source), *arguments])


def merging() -> None:
    """Let a provider's results be brought back, matched by id to what was asked."""
    folders = _emitted()
    if not folders:
        st.info(
            "Write batch files first: results are matched by the ids in them.",
            icon=":material/info:",
        )
        return
    with st.form("merge", border=False):
        folder = st.selectbox("Batch files they answer", folders, format_func=_named)
        uploads = st.file_uploader(
            "Result files", type=("jsonl", "ndjson", "json"), accept_multiple_files=True
        )
        is_all = st.checkbox(
            "These are all results", help="What has none then counts as failed, and can go on."
        )
        pressed = st.form_submit_button("Merge results", type="primary")
    if pressed and not uploads:
        st.error("Choose the result files first.")
    elif pressed:
        paths = [str(jobs.kept(one.file_id, one.name, one.getbuffer())) for one in uploads]
        answers = jobs.new_file(f"{folder.name}-answers.jsonl")
        arguments = ["--manifest", str(folder), "-o", str(answers), *(["--all"] if is_all else [])]
        jobs.start("Merging", [*_MERGE, *paths, *arguments])


def show(job: Job) -> None:
    """Offer what a job on batch files has written."""
    written = jobs.written_by(job)
    if job.state != DONE or written is None:
        return
    if written.is_file():
        with st.container(horizontal=True):
            jobs.offer_file(written, key=f"answers-{job.job_id}")
            failed = written.with_name(f"{written.name}.failed.jsonl")
            if failed.is_file():
                jobs.offer_file(failed, key=f"failed-{job.job_id}", label="Download what failed")
        return
    jobs.offer_folder(written, key=f"archive-{job.job_id}")


def _emitted() -> list[Path]:
    """Return the folders that jobs have written batch files into, newest first."""
    done = [
        jobs.written_by(job)
        for job in read_jobs(reads.store().path.resolve())
        if list(job.arguments[:2]) == _EMIT and job.state == DONE
    ]
    return [folder for folder in done if folder is not None and (folder / MANIFEST).is_file()]


def _named(path: Path) -> str:
    """Return a file with the moment it was asked for, which its folder is named after."""
    moment = path.parent.name
    return f"{path.name} · {moment[:4]}-{moment[4:6]}-{moment[6:8]} {moment[9:11]}:{moment[11:13]}"
