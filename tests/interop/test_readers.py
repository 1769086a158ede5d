import asyncio
import json
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest

from pipeline.artefact import Artefact, write_artefact
from pipeline.config import Policy
from pipeline.exports import litellm_plugin
from pipeline.exports.onnx_graph import router_onnx
from pipeline.flows.tables import build_table, load_model
from pipeline.prompt_text import routing_text
from pipeline.terms import Limits
from profiles.tables import BUCKETS, TABLE_ENTRIES
from tests.support import HashEncoder, story, story_store

READER = Path(__file__).with_name("reader.mjs")
KINDS = {"F32": "<f4", "F64": "<f8"}


def read_tensors(path):
    """Read a safetensors file with nothing but its format."""
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    return {
        name: np.frombuffer(
            raw[8 + size + part["data_offsets"][0] : 8 + size + part["data_offsets"][1]],
            dtype=KINDS[part["dtype"]],
        ).reshape(part["shape"])
        for name, part in header.items()
        if name != "__metadata__"
    }


def best(utility, cost, tie):
    """Return the cheapest of the best, then the first; an unknown cost is the dearest."""
    cost = np.where(np.isnan(cost), np.inf, cost)
    tied = np.flatnonzero(np.isfinite(utility) & (utility >= utility.max() - tie))
    cheapest = cost[tied].min()
    return int(next(m for m in tied if cost[m] <= cheapest * (1 + 1e-9)))


def weigh(w, quality, cost, table, tensors):
    """Return the utility of every model, −inf for what is no candidate."""
    limits, models = table["limits"], table["models"]
    caution = (w @ tensors["z"]) * (w @ tensors["advantage_sd"])
    caution[models.index(table["reference_model"])] = 0.0
    utility = quality - caution - tensors["surcharge"]
    if table["quality_value_usd"] is not None:
        utility = utility - cost / table["quality_value_usd"]
    kept = np.isfinite(utility)
    if limits["min_quality"] is not None:
        kept &= quality >= limits["min_quality"]
    if limits["max_latency_s"] is not None:
        kept &= w @ tensors["latency_s"] <= limits["max_latency_s"]
    if kept.any() and not (limits["fallback"] and w[-1] == 1.0):
        return np.where(kept, utility, -np.inf)
    chain = limits["fallback"] or [table["reference_model"]]
    return np.array([-float(chain.index(m)) if m in chain else -np.inf for m in models])


def decide(x, table, tensors):
    """Follow `how_to_decide` for one vector."""
    logits = (tensors["weights"] @ x + tensors["intercepts"]) / table["temperature"]
    p = np.exp(logits - logits.max())
    p /= p.sum()
    d = int(p.argmax())
    refused = tensors["prototypes"][d] @ x < tensors["radii"][d]
    w = np.eye(len(p) + 1)[-1] if refused else np.append(p, 0.0)
    quality, cost = w @ tensors["quality"], w @ tensors["cost_usd"]
    utility = weigh(w, quality, cost, table, tensors)
    bucket = table["buckets"][int(w.argmax())]
    chosen = best(utility, cost, table["tie"])
    if bucket["lock"] and np.isfinite(quality[table["models"].index(bucket["lock"])]):
        chosen = table["models"].index(bucket["lock"])
    fallback = chosen
    rest = np.where(np.arange(len(cost)) == chosen, -np.inf, utility)
    if np.isfinite(rest).any():
        fallback = best(rest, cost, table["tie"])
    return {
        "model": table["models"][chosen],
        "fallback": table["models"][fallback],
        "domain_id": bucket["domain_id"],
        "confidence": p[d],
        "expected_quality": quality[chosen],
        "expected_cost_usd": None if np.isnan(cost[chosen]) else cost[chosen],
    }


def disagreements(folder):
    """Return the conformance rows that this reader answers otherwise."""
    table = json.loads((folder / "routing_table.json").read_text(encoding="utf-8"))
    tensors = read_tensors(folder / "prototypes.safetensors")
    lines = (folder / "conformance.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows
    wrong = []
    for row in rows:
        found = decide(np.array(row["vector"], dtype=np.float32), table, tensors)
        same = [
            row[k] == v if isinstance(v, str) or v is None else row[k] == pytest.approx(v, abs=1e-5)
            for k, v in found.items()
        ]
        if not all(same):
            wrong.append((row, found))
    return wrong


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return story_store(tmp_path_factory.mktemp("interop"))


def write(store, folder, version=None, **changes):
    meta, model = load_model(store, version)
    model = replace(model, **changes)
    artefact = Artefact(
        meta=meta,
        buckets=store.read(BUCKETS, table_version=model.table_version),
        entries=store.read(TABLE_ENTRIES, table_version=model.table_version),
        model=model,
    )
    write_artefact(artefact, folder, HashEncoder())
    return folder


def _unknown_cost(store, folder):
    """One model of unknown cost; it ties with another one in quality, which alone decides."""
    model = load_model(store)[1]
    quality, cost = model.quality.copy(), model.cost_usd.copy()
    quality[:, 1], cost[:, 0] = quality[:, 0], np.nan
    return write(store, folder, quality=quality, cost_usd=cost, terms=_terms(store, float("inf")))


def _terms(store, value, **changes):
    """Return the terms of the current table at another value of quality."""
    return replace(load_model(store)[1].terms, quality_value_usd=value, **changes)


def _limited(store, folder):
    """A floor, a cap, a chain and a guard, all of which move some choices."""
    model = load_model(store)[1]
    limits = Limits(min_quality=0.5, max_latency_s=2.0, fallback=(1, 0))
    guard, surcharge = np.linspace(0.0, 2.0, len(model.names)), np.array([0.0, 0.05, 0.0])
    terms = _terms(store, 0.05, limits=limits, z=guard, surcharge=surcharge)
    latency = np.where(np.eye(len(model.names), 3) == 1.0, 9.0, 1.0)
    return write(store, folder, terms=terms, latency_s=latency)


VARIANTS = {
    "current": write,
    "quality alone": lambda store, folder: write(store, folder, terms=_terms(store, float("inf"))),
    "cost nearly alone": lambda store, folder: write(store, folder, terms=_terms(store, 1e-4)),
    "limits": _limited,
    "equal models": lambda store, folder: write(
        store,
        folder,
        quality=np.repeat(load_model(store)[1].quality[:, :1], 3, axis=1),
        cost_usd=np.repeat(load_model(store)[1].cost_usd[:, :1] * [[0.1]], 3, axis=1),
    ),
    "one model": lambda store, folder: write(
        store, folder, build_table(store, HashEncoder(), Policy(model_ids=("small",)))
    ),
    "unknown cost": _unknown_cost,
    "locks": lambda store, folder: write(
        store,
        folder,
        build_table(
            store, HashEncoder(), Policy(locks=(("python", "small"), ("unassigned", "medium")))
        ),
    ),
}


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, store, tmp_path_factory):
    return VARIANTS[request.param](store, tmp_path_factory.mktemp("table"))


def node(folder):
    """Run the Node reader; returns its exit code and what it counted."""
    done = subprocess.run(
        ["node", READER, folder], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_a_reader_of_forty_lines_agrees(folder):
    """NumPy, struct and json alone decide every conformance row alike."""
    assert disagreements(folder) == []


def test_the_json_is_what_the_schema_beside_it_says(folder):
    """Whoever gets the folder can check it without this package."""
    schema = json.loads((folder / "routing_table.schema.json").read_text(encoding="utf-8"))
    table = json.loads((folder / "routing_table.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(table)


def test_the_litellm_plugin_agrees(folder):
    """It chooses the model of every conformance row, with Python's standard library alone."""
    table = litellm_plugin.Table(folder)
    assert [table.choose(row["vector"]) for row in table.conformance] == [
        row["model"] for row in table.conformance
    ]


def test_the_litellm_plugin_refuses_another_encoder(folder):
    """One known vector is asked for before the first decision."""
    right, wrong = (litellm_plugin.Classifier(folder) for _ in range(2))
    known = next(row for row in right.table.conformance if row["text"])
    chat = [{"role": "user", "content": known["text"]}]
    context = SimpleNamespace(structured_messages=chat, raw_messages=chat)

    async def encode(_text):
        return known["vector"]

    async def negate(_text):
        return [-number for number in known["vector"]]

    right.embed, wrong.embed = encode, negate
    assert asyncio.run(right.classify(context)) == known["model"]
    with pytest.raises(ValueError, match="serves another encoder than hash:"):
        asyncio.run(wrong.classify(context))


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        [{"role": "system", "content": "s"}, {"role": "user", "content": [{"text": "a"}, "b"]}],
        [{"role": "assistant", "content": "b"}, {"role": "developer", "content": "d"}],
        [{"role": "user", "content": None}],
        [],
    ],
)
def test_the_litellm_plugin_encodes_the_same_text_of_a_chat(messages):
    """It has its own copy of the rule, since it runs where this package is not."""
    expected = routing_text(messages) if messages else ""
    assert litellm_plugin.routing_text(messages) == expected


def test_no_prompt_leaves_the_store(folder):
    """No exported file holds the text of a logged prompt."""
    for path in folder.iterdir():
        content = path.read_bytes()
        assert not any(prompt.text.encode() in content for prompt in story(30))


@pytest.mark.interop
def test_node_agrees(folder):
    """A second language decides every conformance row alike."""
    code, counts = node(folder)
    n_rows = len((folder / "conformance.jsonl").read_text(encoding="utf-8").splitlines())
    assert (code, counts) == (0, {"n_rows": n_rows, "n_wrong": 0})


def _flip(row, name):
    wrong = {"model": "medium" if row["model"] != "medium" else "small", "domain_id": "dom-other"}
    return row | {name: wrong.get(name, 0.123)}


@pytest.fixture
def current(store, tmp_path):
    return write(store, tmp_path / "current")


@pytest.mark.interop
@pytest.mark.parametrize("name", ["model", "domain_id", "confidence", "expected_cost_usd"])
def test_one_wrong_answer_is_noticed(current, tmp_path, name):
    """A conformance row with another answer fails the Node reader, and this one."""
    copy = Path(shutil.copytree(current, tmp_path / "copy"))
    path = copy / "conformance.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[7] = _flip(rows[7], name)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert node(copy) == (1, {"n_rows": len(rows), "n_wrong": 1})
    assert len(disagreements(copy)) == 1


def onnx_answers(folder):
    """Return what the graph of an artefact answers to its conformance rows."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    table = json.loads((folder / "routing_table.json").read_text(encoding="utf-8"))
    graph = router_onnx(table, read_tensors(folder / "prototypes.safetensors"))
    lines = (folder / "conformance.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    vectors = np.array([row["vector"] for row in rows], dtype=np.float32)
    names = [output.name for output in session.get_outputs()]
    return rows, dict(zip(names, session.run(None, {"x": vectors}), strict=True))


def test_the_onnx_graph_agrees(folder):
    """A runtime that knows nothing of this project decides every conformance row alike."""
    rows, found = onnx_answers(folder)
    for name, answers in found.items():
        wanted = [row[name] for row in rows]
        if isinstance(wanted[0], str):
            assert answers.tolist() == wanted
        else:
            numbers = [np.nan if value is None else value for value in wanted]
            assert answers == pytest.approx(numbers, abs=1e-6, nan_ok=True)
