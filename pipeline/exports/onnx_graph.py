"""The artefact as an ONNX graph: unit vectors in, choices out, for services with an ONNX runtime.

The graph follows the artefact's `how_to_decide` line by line, in double precision.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MIXED = ("quality", "cost_usd", "latency_s")
_GRAPH = """
<ir_version: 10, opset_import: ["" : 21]>
promptshed (float[n, n_dims] x) => (
  string[n] model, string[n] fallback, string[n] domain_id,
  double[n] confidence, double[n] expected_quality, double[n] expected_cost_usd
) {
  vectors = Cast <to = 11> (x)
  products = MatMul (vectors, weights)
  shifted = Add (products, intercepts)
  logits = Div (shifted, temperature)
  p = Softmax <axis = 1> (logits)
  likeliest = ArgMax <axis = 1> (p)
  confidence = ReduceMax <keepdims = 0> (p, last_axis)
  similarities = MatMul (vectors, prototypes)
  margins = Sub (similarities, radii)
  margin = GatherElements <axis = 1> (margins, likeliest)
  is_accepted = GreaterOrEqual (margin, zero)
  widened = Pad (p, one_more)
  w = Where (is_accepted, widened, last_bucket)
  quality = MatMul (w, quality_of)
  cost = MatMul (w, cost_usd_of)
  latency = MatMul (w, latency_s_of)
  spread = MatMul (w, advantage_sd_of)
  guard = MatMul (w, z)
  caution = Mul (guard, spread)
  careful = Sub (quality, caution)
  charged = Sub (careful, surcharge)
  spent = Div (cost, quality_value_usd)
  paid = Sub (charged, spent)
  u = Where (is_free, charged, paid)
  is_known = Equal (u, u)
  is_good = GreaterOrEqual (quality, min_quality)
  is_quick = LessOrEqual (latency, max_latency_s)
  is_in_time = Or (is_quick, any_latency)
  is_fine = And (is_good, is_in_time)
  keeps = And (is_known, is_fine)
  kept = Where (keeps, u, nothing)
  most = ReduceMax (kept, last_axis)
  is_any = Greater (most, nothing)
  is_own = Or (is_accepted, no_chain)
  is_usual = And (is_any, is_own)
  utility = Where (is_usual, kept, chain)
  is_costless = IsNaN (cost)
  price = Where (is_costless, endless, cost)
  BEST(first, utility)
  bucket = ArgMax <axis = 1, keepdims = 0> (w)
  lock = Gather (locks, bucket)
  lock_column = Unsqueeze (lock, last_axis)
  is_locked = GreaterOrEqual (lock_column, first_column)
  some_column = Max (lock_column, first_column)
  locked_quality = GatherElements <axis = 1> (quality, some_column)
  is_there = Equal (locked_quality, locked_quality)
  is_kept_lock = And (is_locked, is_there)
  chosen = Where (is_kept_lock, some_column, first)
  is_chosen = Equal (chosen, columns)
  rest = Where (is_chosen, nothing, utility)
  BEST(second, rest)
  most_left = ReduceMax (rest, last_axis)
  is_left = Greater (most_left, nothing)
  next = Where (is_left, second, chosen)
  qualities = GatherElements <axis = 1> (quality, chosen)
  costs = GatherElements <axis = 1> (cost, chosen)
  expected_quality = Squeeze (qualities, last_axis)
  expected_cost_usd = Squeeze (costs, last_axis)
  chosen_row = Squeeze (chosen, last_axis)
  next_row = Squeeze (next, last_axis)
  model = Gather (models, chosen_row)
  fallback = Gather (models, next_row)
  domain_id = Gather (domain_ids, bucket)
}
"""
_BEST = """
  {0}_top = ReduceMax ({1}, last_axis)
  {0}_floor = Sub ({0}_top, tie)
  {0}_near = GreaterOrEqual ({1}, {0}_floor)
  {0}_is_one = Greater ({1}, nothing)
  {0}_tied = And ({0}_near, {0}_is_one)
  {0}_prices = Where ({0}_tied, price, endless)
  {0}_least = ReduceMin ({0}_prices, last_axis)
  {0}_bound = Mul ({0}_least, nearly)
  {0}_is_cheap = LessOrEqual (price, {0}_bound)
  {0}_is_best = And ({0}_tied, {0}_is_cheap)
  {0}_marks = Cast <to = 6> ({0}_is_best)
  {0} = ArgMax <axis = 1> ({0}_marks)
"""


def router_onnx(table: Mapping[str, Any], tensors: Mapping[str, NDArray]) -> bytes:
    """Return the graph of an artefact.

    Parameters
    ----------
    table
        Contents of routing_table.json.
    tensors
        Those of prototypes.safetensors, by name.
    """
    import onnx  # noqa: PLC0415 - an extra

    text = _GRAPH
    for name, utility in (("first", "utility"), ("second", "rest")):
        text = text.replace(f"BEST({name}, {utility})", _BEST.format(name, utility))
    model = onnx.parser.parse_model(text)
    constants = _constants(table, tensors)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    about = {"encoder": table["encoder"]["id"], "table_version": str(table["table_version"])}
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _constants(table: Mapping[str, Any], tensors: Mapping[str, NDArray]) -> dict[str, NDArray]:
    models, buckets, limits = table["models"], table["buckets"], table["limits"]
    value, cap = table["quality_value_usd"], limits["max_latency_s"]
    floor = limits["min_quality"]
    is_reference = [model == table["reference_model"] for model in models]
    followers = limits["fallback"] or [table["reference_model"]]
    doubles = {
        "weights": tensors["weights"].T,
        "prototypes": tensors["prototypes"].T,
        "z": tensors["z"][:, None],
        **{name: tensors[name] for name in ("intercepts", "radii", "surcharge")},
        **{f"{name}_of": tensors[name] for name in _MIXED},
        "advantage_sd_of": np.where(is_reference, 0.0, tensors["advantage_sd"]),
        "last_bucket": np.eye(len(buckets))[-1],
        "chain": [-followers.index(m) if m in followers else -np.inf for m in models],
        "temperature": table["temperature"],
        "tie": table["tie"],
        "quality_value_usd": 1.0 if value is None else value,
        "min_quality": -np.inf if floor is None else floor,
        "max_latency_s": np.inf if cap is None else cap,
        "zero": 0.0,
        "nothing": -np.inf,
        "endless": np.inf,
        "nearly": 1.0 + 1e-9,
    }
    others = {
        "is_free": np.array(value is None),
        "any_latency": np.array(cap is None),
        "no_chain": np.array(not limits["fallback"]),
        "one_more": np.array([0, 0, 0, 1]),
        "last_axis": np.array([1]),
        "first_column": np.array(0),
        "columns": np.arange(len(models)),
        "locks": np.array([models.index(b["lock"]) if b["lock"] else -1 for b in buckets]),
        "models": np.array(models, dtype=object),
        "domain_ids": np.array([bucket["domain_id"] for bucket in buckets], dtype=object),
    }
    return {k: np.ascontiguousarray(v, dtype=np.float64) for k, v in doubles.items()} | others
