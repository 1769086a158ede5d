"""`promptshed app` and `promptshed doctor`."""

import os
import platform
import shutil
import socket
import threading
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

import pipeline
from pipeline.commands.shared import encoder_option, json_option, print_json, say, store_option
from pipeline.encoders import ENCODER_VARIABLE, load_encoder
from pipeline.flows.progress import read_progress
from pipeline.next_step import next_step
from pipeline.store import SCHEMA_VERSION, Store
from profiles.errors import EncoderError, PromptshedError, StoreError, UsageError

HOST = "127.0.0.1"
_LIBRARIES = (
    "streamlit",
    "polars",
    "duckdb",
    "umap-learn",
    "hdbscan",
    "scikit-learn",
    "plotly",
    "sentence-transformers",
)
_LEAST_FREE_GB = 1.0


@click.command("app")
@store_option
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@click.option("--read-only", is_flag=True, help="Show everything, decide and start nothing.")
@encoder_option
def app_command(store: Store, port: int, encoder_name: str, *, read_only: bool) -> None:
    """Open the dashboard on 127.0.0.1; Ctrl-C stops it."""
    script = Path(pipeline.__file__).resolve().parent.parent / "app.py"
    if not script.is_file():
        raise PromptshedError(
            f"The dashboard is not at {script}. Reinstall with `pip install --force-reinstall "
            "promptshed`."
        )
    _require_free(port)
    path = store.path.resolve()
    os.environ["PROMPTSHED_STORE"] = str(path)
    os.environ[ENCODER_VARIABLE] = encoder_name
    os.environ["PROMPTSHED_READ_ONLY"] = "1" if read_only else "0"
    say(f"Store:     {path}{'' if store.exists() else ' (not there yet)'}")
    say(f"Dashboard: http://{HOST}:{port}  (Ctrl-C stops it)")
    say(f"Table:     http://{HOST}:{port}/api/routing-table")
    _serve(script, port, store)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"Port {port} on {HOST} cannot be used ({error.strerror}). Name another one: "
                f"`promptshed app --port {port + 1 if port < 65535 else 8501}`."
            ) from error


def _serve(script: Path, port: int, store: Store) -> None:
    import streamlit  # noqa: PLC0415 - only this verb
    import uvicorn  # noqa: PLC0415
    from streamlit.runtime.pages_manager import PagesManager  # noqa: PLC0415

    from pipeline.commands.api import routes  # noqa: PLC0415

    threading.Thread(target=load_libraries, daemon=True).start()
    PagesManager.uses_pages_directory = False  # or the first visit of a deep link finds no page
    app = streamlit.App(script, routes=routes(store))
    uvicorn.run(app, host=HOST, port=port, log_level="warning", access_log=False)


def load_libraries() -> None:
    """Load what pages need, so that the first visitor does not wait for it."""
    import_module("plotly.graph_objects")
    for name in ("curation", "identity", "looking_back", "monitoring", "progress"):
        import_module(f"pipeline.flows.{name}")


@click.command("doctor")
@store_option
@encoder_option
@json_option
def doctor_command(store: Store, encoder_name: str, *, as_json: bool) -> int:
    """Check versions, store, encoder and disk, and say what to do next; exits 1 on a problem."""
    report = examine(store, encoder_name)
    problems = report["problems"]
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    return 1 if problems else 0


def examine(store: Store, encoder_name: str) -> dict[str, object]:
    """Return everything `promptshed doctor` knows; `problems` is empty when all is well."""
    problems: list[str] = []
    libraries = {name: _version(name, problems) for name in _LIBRARIES}
    store_report = _store_report(store, problems)
    encoder_report = _encoder_report(encoder_name, problems)
    free_gb = shutil.disk_usage(_existing(store.path)).free / 1e9
    if free_gb < _LEAST_FREE_GB:
        problems.append(
            f"Only {free_gb:.1f} GB of disk are free beside the store. Make room: vectors of a "
            "million prompts take about 2 GB."
        )
    return {
        "promptshed": _version("promptshed", []),
        "python": platform.python_version(),
        "libraries": libraries,
        "store": store_report,
        "encoder": encoder_report,
        "free_disk_gb": round(free_gb, 1),
        "problems": problems,
        "next": problems[0] if problems else _next(store),
    }


def _version(name: str, problems: list[str]) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        problems.append(f"{name} is not installed. Run `pip install {name}`.")
        return None


def _store_report(store: Store, problems: list[str]) -> dict[str, object]:
    report: dict[str, object] = {
        "path": str(store.path.resolve()),
        "exists": store.exists(),
        "is_healthy": True,
        "schema_version": None,
        "known_schema_version": SCHEMA_VERSION,
        "size_mb": round(store.path.stat().st_size / 1e6, 1) if store.exists() else 0.0,
        "counts": {},
    }
    try:
        report |= {"schema_version": store.schema_version(), "counts": store.counts()}
    except StoreError as error:
        problems.append(str(error))
        report["is_healthy"] = False
    return report


def _encoder_report(name: str, problems: list[str]) -> dict[str, object]:
    try:
        return {"name": name, "encoder_id": load_encoder(name).encoder_id, "is_as_expected": True}
    except (EncoderError, ImportError) as error:
        problems.append(str(error))
        return {"name": name, "encoder_id": None, "is_as_expected": False}


def _existing(path: Path) -> Path:
    """Return the path, or its nearest parent that is there."""
    return next(place for place in (path.resolve(), *path.resolve().parents) if place.exists())


def _next(store: Store) -> str:
    step = next_step(read_progress(store))
    return f"{step.text} {' or '.join(f'`{command}`' for command in step.commands)}"


def _print_report(report: dict[str, object]) -> None:
    for section, content in report.items():
        if isinstance(content, dict):
            click.echo(f"{section}:")
            for name, value in content.items():
                click.echo(f"  {name}: {_flat(value)}")
        elif section not in {"problems", "next"}:
            click.echo(f"{section}: {_flat(content)}")
    problems = report["problems"]
    for problem in problems if isinstance(problems, list) else ():
        click.echo(f"problem: {problem}")
    say(f"Next: {report['next']}")


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {n:,}" for name, n in value.items() if n) or "nothing yet"
    return "–" if value is None else str(value)
