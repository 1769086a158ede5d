"""Measure the axes on labelled prompts and print the tables of a Markdown report.

    python tests/benchmarks/axes.py FOLDER [--out results.md] [--store data/axes.duckdb]

FOLDER holds Parquet files with `prompt` and `label`; those that LABELS names are used, and the
prompts that ship with the package `paretobandit` beside them. What a label says of an axis is
written down here: a judgement, made of how each data set says it was built, never of its prompts.

At most 200 prompts of a label count, so that no data set decides alone. Prompts are split in
halves by a hash of their id; the signals were written with the first half in view, the classifiers
learn from the signals on it (never from a label), and every figure is of the second half: accuracy
with a 95 % interval, beside the share of the most frequent value. Urgency, tone, self-harm,
personal data and instruction following have no labelled prompts here: nothing is claimed of them.
"""

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.axes.reading import AXES, AxisClassifier, fit_axes, read_axes
from pipeline.encoders import load_encoder
from pipeline.flows.encoding import vectors_of
from pipeline.prompt_text import prompt_id_of
from pipeline.split import fold_numbers, hash_shares, in_test
from pipeline.store import Store
from profiles.interval import beta_interval

_R, _K, _C = "reasoning", "knowledge retrieval", "comprehension"
_DO = ("alarm", "book_flight", "book_hotel", "cancel_reservation", "freeze_account", "make_call",
       "order", "pay_bill", "play_music", "reminder", "schedule_meeting", "shopping_list_update",
       "smart_home", "text", "timer", "todo_list_update", "transfer", "uber")  # fmt: skip
_TOPICS = ("Python", "SQL", "JavaScript", "Rust", "PHP", "Web Development", "Bot Development")
_BFCL = (
    "executable_multiple_function", "executable_simple", "java", "javascript", "multiple_function",
    "rest", "simple", "relevance",
)  # fmt: skip
_BFCL_SEVERAL = (
    "executable_parallel_function", "executable_parallel_multiple_function", "parallel_function",
    "parallel_multiple_function",
)  # fmt: skip
_BBH_LOGIC = (
    "web_of_lies", "formal_fallacies", "logical_deduction", "tracking_shuffled_objects",
    "object_counting", "boolean_expressions", "multistep_arithmetic_two", "date_understanding",
    "temporal_sequences", "reasoning_about_colored_objects",
)  # fmt: skip
_BBH_LANGUAGE = ("snarks", "disambiguation_qa", "hyperbaton")
_MMLU_FACTS = (
    "global_facts", "prehistory", "world_religions", "high_school_geography", "us_foreign_policy",
    "high_school_us_history", "sociology", "marketing", "miscellaneous",
)  # fmt: skip
_MMLU_LOGIC = (
    "abstract_algebra", "college_mathematics", "elementary_mathematics",
    "high_school_mathematics", "high_school_statistics", "formal_logic",
)  # fmt: skip
_MEDICINE = (
    "professional_medicine", "clinical_knowledge", "college_medicine", "medical_genetics",
    "anatomy", "virology",
)  # fmt: skip
_LAW = ("professional_law", "international_law", "jurisprudence")
_EVERYDAY = ("kitchen_and_dining", "home", "utility", "auto_and_commute", "travel", "small_talk")


def _each(labels: Sequence[str], value: str, *, before: str = "") -> dict[str, str]:
    return {before + label: value for label in labels}


LABELS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "capabilities": {
        "mmlu_pro": _each(("math", "physics", "engineering", "chemistry"), _R)
        | _each(("history", "biology", "psychology", "health"), _K),
        "routellm_2models": {"gsm8k": _R}
        | _each(_MMLU_LOGIC, _R, before="mmlu_")
        | _each(_MMLU_FACTS, _K, before="mmlu_"),
        "routerbench_subset": {"mbpp": "coding"}
        | _each(("arc-challenge", "winogrande"), "in-context learning"),  # asked with examples
        "bfcl_2024_07_06": _each((*_BFCL, *_BFCL_SEVERAL), "agentic"),
        "prompts_clinc150_intent": {"translate": "multilingual", "calculator": _R}
        | _each(("definition", "fun_fact"), _K)
        | _each(_DO, "agentic"),
        "prompts_arena_hard_v01_500": _each(_TOPICS, "coding"),
        "paretobandit": {"gsm8k": _R, "mbpp": "coding"}
        | _each(("openbookqa", "arc_challenge", "truthful_qa"), _K)
        | _each(("hellaswag", "winogrande"), _C)
        | _each(_BBH_LOGIC, _R, before="bbh/")
        | _each(_BBH_LANGUAGE, _C, before="bbh/"),
    },
    "sensitivity": {
        "mmlu_pro": {"law": "legal", "health": "medical"}
        | _each(("math", "physics", "chemistry", "engineering"), "none"),
        "routellm_2models": _each(_MEDICINE, "medical", before="mmlu_")
        | _each(_LAW, "legal", before="mmlu_")
        | _each(("mmlu_professional_accounting",), "financial"),
        "prompts_clinc150_domain": _each(("banking", "credit_cards"), "financial")
        | _each(_EVERYDAY, "none"),
        "routerbench_subset": _each(("mbpp", "winogrande"), "none"),
    },
    "complexity": {
        "routellm_2models": {"gsm8k": "multi-step"},  # two to eight steps, says its paper
        "bfcl_2024_07_06": _each(_BFCL_SEVERAL, "multi-step"),  # several calls
        "prompts_clinc150_domain": _each(_EVERYDAY, "trivial"),  # one command, one sentence
        "paretobandit": {"gsm8k": "multi-step"}
        | _each(
            ("tracking_shuffled_objects", "multistep_arithmetic_two"), "multi-step", before="bbh/"
        )
        | _each(("openbookqa", "arc_challenge", "hellaswag"), "medium"),  # one question
    },
}
"""What a label of a file says of an axis; a label that begins like one named here counts too."""

_MOST_OF_A_LABEL = 200
_AXIS_OF = {axis.name: axis for axis in AXES}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Measure the axes on labelled prompts.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--store", type=Path, default=Path("data/axes.duckdb"))
    options = parser.parse_args(arguments)
    sources = read_sources(options.folder)
    samples = {axis: labelled(sources, axis) for axis in LABELS}
    prompts = pl.concat([part.select("prompt_id", "prompt") for part in samples.values()])
    prompts = prompts.unique("prompt_id").sort("prompt_id")
    ids, texts = prompts["prompt_id"].to_list(), prompts["prompt"].to_list()
    matrix = vectors_of(Store(path=options.store), load_encoder("all-MiniLM-L6-v2"), ids, texts)
    vectors = dict(zip(ids, matrix, strict=True))
    learned = np.flatnonzero(~in_test(ids))
    classifiers = fit_axes(
        [texts[i] for i in learned],
        matrix[learned],
        fold_numbers([ids[i] for i in learned], n_folds=5),
    )
    report = "\n".join([
        *table(samples, vectors, classifiers), "", *by_value(samples, vectors, classifiers), "",
        *timing(texts, matrix, classifiers),
    ])  # fmt: skip
    sys.stdout.write(report + "\n")
    if options.out:
        options.out.write_text(report + "\n", encoding="utf-8")


def read_sources(folder: Path) -> dict[str, pl.DataFrame]:
    """Return the prompts and labels of each source that `LABELS` names."""
    stems = {stem for sources in LABELS.values() for stem in sources} - {"paretobandit"}
    found = {
        stem: pl.read_parquet(folder / f"{stem}.parquet", columns=["prompt", "label"])
        for stem in sorted(stems)
    }
    spec = importlib.util.find_spec("pareto_bandit")
    if spec is None or spec.origin is None:
        sys.exit("This needs the package paretobandit: pip install 'promptshed[demo]'.")
    examples = Path(spec.origin).parent / "data" / "examples"
    lines = [
        json.loads(line)
        for name in ("val", "test_holdout")
        for line in (examples / f"{name}.jsonl").read_text("utf-8").rstrip("\n").split("\n")
    ]
    found["paretobandit"] = pl.DataFrame(
        {"prompt": [r["prompt"] for r in lines], "label": [r["source"] for r in lines]}
    )
    return found


def labelled(sources: Mapping[str, pl.DataFrame], axis: str) -> pl.DataFrame:
    """Return prompts whose value is known: prompt_id, prompt, value; at most 200 of a label."""
    parts: list[pl.DataFrame] = []
    for stem, values in LABELS[axis].items():
        for label, value in values.items():
            named = sources[stem].filter(_is_named(pl.col("label"), label, stem))
            parts.append(_some(named).with_columns(value=pl.lit(value)))
    return pl.concat(parts).unique("prompt_id", maintain_order=True)


def _is_named(found: pl.Expr, label: str, stem: str) -> pl.Expr:
    if stem == "prompts_arena_hard_v01_500":
        return found.str.contains(label, literal=True)
    return (found == label) | found.str.starts_with(f"{label}_")


def _some(named: pl.DataFrame) -> pl.DataFrame:
    texts = named["prompt"].unique().sort().to_list()
    ids = [prompt_id_of(text) for text in texts]
    kept = np.argsort(hash_shares(ids, seed=1))[:_MOST_OF_A_LABEL]
    return pl.DataFrame(
        {"prompt_id": [ids[i] for i in kept], "prompt": [texts[i] for i in kept]},
        schema={"prompt_id": pl.String, "prompt": pl.String},
    )


def table(
    samples: Mapping[str, pl.DataFrame],
    vectors: Mapping[str, NDArray[np.float32]],
    classifiers: Mapping[str, AxisClassifier],
) -> list[str]:
    """Return accuracy on held-out prompts, by signals alone and with the classifier."""
    rows = [
        "| axis | n | majority | signals alone | with classifier | confidence | mean recall |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, sample in samples.items():
        truth, alone, both, confidence = judged(name, sample, vectors, classifiers)
        values, counts = np.unique(truth, return_counts=True)
        recall = np.mean([np.mean(both[truth == value] == value) for value in values])
        cells = [
            name,
            f"{len(truth):,}",
            f"{counts.max() / len(truth):.3f}",
            _share(alone == truth),
            _share(both == truth) if name in classifiers else "–",
            f"{confidence.mean():.3f}",
            f"{recall:.3f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def by_value(
    samples: Mapping[str, pl.DataFrame],
    vectors: Mapping[str, NDArray[np.float32]],
    classifiers: Mapping[str, AxisClassifier],
) -> list[str]:
    """Return how often each value is found, and how often it is right where it is given."""
    rows = ["| axis | value | n | found | right where given |", "|---|---|---|---|---|"]
    for name, sample in samples.items():
        truth, _, both, _ = judged(name, sample, vectors, classifiers)
        for value in np.unique(truth):
            found, given = both[truth == value] == value, truth[both == value] == value
            precision = _share(given) if len(given) else "–"
            rows.append(f"| {name} | {value} | {len(found)} | {_share(found)} | {precision} |")
    return rows


def judged(
    name: str,
    sample: pl.DataFrame,
    vectors: Mapping[str, NDArray[np.float32]],
    classifiers: Mapping[str, AxisClassifier],
) -> tuple[NDArray, NDArray, NDArray, NDArray[np.float64]]:
    """Return the true values of held-out prompts, both readings of them, and the confidence."""
    held_out = sample.filter(pl.Series(in_test(sample["prompt_id"].to_list())))
    texts, axes = held_out["prompt"].to_list(), (_AXIS_OF[name],)
    matrix = np.stack([vectors[prompt_id] for prompt_id in held_out["prompt_id"]])
    alone = read_axes(texts, axes=axes)[name]
    both = read_axes(texts, matrix, classifiers, axes=axes)[name]
    truth = np.array(held_out["value"].to_list())
    return truth, np.array(alone.values), np.array(both.values), both.confidence


def timing(
    texts: Sequence[str], matrix: NDArray[np.float32], classifiers: Mapping[str, AxisClassifier]
) -> list[str]:
    """Return the time of reading every axis of these prompts, encoding left out."""
    start = time.perf_counter()
    read_axes(texts, matrix, classifiers)
    seconds = time.perf_counter() - start
    chars = np.mean([len(text) for text in texts])
    speed = f"{1000 * seconds / len(texts):.2f} s for 1,000"
    return [f"{len(texts):,} prompts of {chars:.0f} characters on average, all axes: {speed}."]


def _share(right: NDArray[np.bool_]) -> str:
    mean, n = np.array([right.mean()]), np.array([float(len(right))])
    lo, hi = beta_interval(mean, n)
    return f"{mean[0]:.3f} [{lo[0]:.3f}, {hi[0]:.3f}]"


if __name__ == "__main__":
    main()
