"""Route a generated file of any size, or route one that is killed ten times.

    python tests/benchmarks/scale.py rows 1000000      # rows/s and peak memory of a dry run
    python tests/benchmarks/scale.py kill 200000       # kill -9 at random moments: same bytes?

Needs `promptshed[demo]` for prompts to learn from. Prompts are short and made up of words of those;
5 % of the rows repeat one of the 10,000 rows before them. So that routing is measured and not the
encoder, vectors come from a static one: the mean of the default encoder's own token embeddings,
made here, which is no part of the package. Everything is kept in `data/scale/`.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from pipeline.encoders import load_encoder
from pipeline.flows.demo import _write_files
from pipeline.resuming import checkpoint_path, forget

FOLDER = Path("data/scale")
STORE, ENCODER = FOLDER / "store.duckdb", FOLDER / "encoder"
SHARE_REPEATED, N_RECENT, N_KILLS = 0.05, 10_000, 10


def promptshed(*arguments: object) -> list[str]:
    """Return a command line on the benchmark's store."""
    words = [str(argument) for argument in arguments]
    return [sys.executable, "-m", "pipeline", *words, "--store", str(STORE)]


def prepare() -> list[str]:
    """Make encoder, store and table once; return the words of the prompts learned from."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    learn, _, _ = _write_files(FOLDER)
    if not ENCODER.exists():
        model = load_encoder()._model
        table = model[0].auto_model.get_input_embeddings().weight.detach()
        static = StaticEmbedding(model.tokenizer.backend_tokenizer, embedding_weights=table)
        SentenceTransformer(modules=[static], device="cpu").save(str(ENCODER))
    if not STORE.exists():
        for verb in (
            ("import", learn),
            ("domains", "from-labels"),
            ("table", "build", "--publish", "--encoder", ENCODER),
        ):
            subprocess.run(promptshed(*verb), check=True)
    with learn.open(encoding="utf-8") as lines:
        return sorted({word for line in lines for word in json.loads(line)["prompt"].split()})


def write_prompts(words: list[str], n_rows: int) -> Path:
    """Write the file; the same one each time."""
    path = FOLDER / f"{n_rows}.jsonl"
    generator = random.Random(0)  # noqa: S311 - no secret
    recent: list[str] = []
    with path.open("w", encoding="utf-8") as lines:
        for number in range(n_rows):
            if recent and generator.random() < SHARE_REPEATED:
                text = generator.choice(recent)
            else:
                text = " ".join(generator.choices(words, k=generator.randint(5, 25)))
                if len(recent) < N_RECENT:
                    recent.append(text)
                else:
                    recent[number % N_RECENT] = text
            row = {"id": f"r-{number:07}", "prompt": text, "n": number}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def measure(source: Path, n_rows: int, *options: str) -> None:
    """Dry-route the file and print rows per second and peak memory."""
    started = time.monotonic()
    command = promptshed("route", source, "--dry-run", "--encoder", ENCODER, *options)
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    seconds, cpu_s = time.monotonic() - started, used.ru_utime + used.ru_stime
    sys.stdout.write(
        f"{n_rows:,} rows, {source.stat().st_size / 1e6:,.0f} MB: {seconds:,.0f} s, "
        f"{n_rows / seconds:,.0f} rows/s; {cpu_s:,.0f} s of CPU, {n_rows / cpu_s:,.0f} rows/s of "
        f"it; peak memory {used.ru_maxrss / 1024:,.0f} MB, "
        f"exit code {os.waitstatus_to_exitcode(status)}\n"
    )


def kill(source: Path, name: str, *options: str) -> None:
    """Kill the run at random moments, go on each time, and compare with a run left alone."""
    whole, target = FOLDER / f"whole-{name}", FOLDER / f"killed-{name}"
    route = ("route", source, "--encoder", ENCODER, *options)
    started = time.monotonic()
    subprocess.run(promptshed(*route, "-o", whole), check=True)
    seconds = time.monotonic() - started
    generator = random.Random(name)  # noqa: S311 - no secret
    n_killed = 0
    forget(target)
    for _ in range(N_KILLS):
        process = subprocess.Popen(promptshed(*route, "-o", target, "--resume"))
        begun = _modified(checkpoint_path(target))
        while process.poll() is None and _modified(checkpoint_path(target)) == begun:
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=generator.uniform(0.0, 1.0) * seconds / N_KILLS)
        process.send_signal(signal.SIGKILL)
        n_killed += process.wait() == -signal.SIGKILL
    subprocess.run(promptshed(*route, "-o", target, "--resume"), check=True)
    same = target.read_bytes() == whole.read_bytes()
    sys.stdout.write(f"{name} {options}: killed {n_killed} times, same bytes: {same}\n")
    if not same:
        sys.exit(1)


def _modified(path: Path) -> int:
    """Return when a file last changed; 0 if there is none."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime_ns
    return 0


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["rows", "kill"])
    parser.add_argument("n_rows", type=int)
    parser.add_argument("options", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    source = write_prompts(prepare(), asked.n_rows)
    if asked.what == "rows":
        measure(source, asked.n_rows, *asked.options)
        return
    for name in ("routed.jsonl", "routed.csv.gz"):
        kill(source, name, *asked.options)


if __name__ == "__main__":
    main()
