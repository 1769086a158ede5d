// Reads an exported routing table without any dependency and checks every conformance row.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const table = JSON.parse(readFileSync(join(folder, "routing_table.json"), "utf8"));

function readTensors(path) {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString("utf8"));
  const kinds = { F32: Float32Array, F64: Float64Array };
  return Object.fromEntries(
    Object.entries(header)
      .filter(([name]) => name !== "__metadata__")
      .map(([name, { dtype, data_offsets: [start, end] }]) => {
        const part = bytes.subarray(8 + headerLength + start, 8 + headerLength + end);
        const aligned = part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength);
        return [name, new kinds[dtype](aligned)];
      }),
  );
}

const tensors = readTensors(join(folder, "prototypes.safetensors"));
const nDims = table.encoder.n_dims;
const nModels = table.models.length;
const nDomains = table.buckets.length - 1;

const dot = (matrix, row, x) => x.reduce((sum, value, i) => sum + matrix[row * nDims + i] * value, 0);

function memberships(x) {
  const logits = [...Array(nDomains).keys()].map(
    (d) => (dot(tensors.weights, d, x) + tensors.intercepts[d]) / table.temperature,
  );
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  const p = powers.map((power) => power / total);
  const likeliest = p.indexOf(Math.max(...p));
  const refused = dot(tensors.prototypes, likeliest, x) < tensors.radii[likeliest];
  return { confidence: p[likeliest], w: refused ? [...p.map(() => 0), 1] : [...p, 0] };
}

const mix = (w, matrix, m) => w.reduce((sum, share, b) => sum + (share ? share * matrix[b * nModels + m] : 0), 0);

function best(utility, cost) {
  const limit = Math.max(...utility) - table.tie;
  const known = cost.map((c) => (Number.isNaN(c) ? Infinity : c));
  const tied = utility.map((u, m) => m).filter((m) => utility[m] > -Infinity && utility[m] >= limit);
  const least = Math.min(...tied.map((m) => known[m]));
  return tied.find((m) => known[m] <= least * (1 + 1e-9));
}

function weigh(w, columns, quality, cost) {
  const { min_quality: floor, max_latency_s: cap, fallback } = table.limits;
  const value = table.quality_value_usd;
  const reference = table.models.indexOf(table.reference_model);
  const z = w.reduce((sum, share, b) => sum + share * tensors.z[b], 0);
  const utility = columns.map((m) => {
    const caution = m === reference || z === 0 ? 0 : z * mix(w, tensors.advantage_sd, m);
    const u = quality[m] - caution - tensors.surcharge[m] - (value === null ? 0 : cost[m] / value);
    const kept = (floor === null || quality[m] >= floor) && (cap === null || mix(w, tensors.latency_s, m) <= cap);
    return kept && !Number.isNaN(u) ? u : -Infinity;
  });
  const refused = w[w.length - 1] === 1;
  if (utility.some((u) => u > -Infinity) && !(fallback.length && refused)) return utility;
  const chain = fallback.length ? fallback : [table.reference_model];
  return table.models.map((id) => (chain.includes(id) ? -chain.indexOf(id) : -Infinity));
}

function decide(x) {
  const { confidence, w } = memberships(x);
  const columns = table.models.map((_, m) => m);
  const quality = columns.map((m) => mix(w, tensors.quality, m));
  const cost = columns.map((m) => mix(w, tensors.cost_usd, m));
  const utility = weigh(w, columns, quality, cost);
  const bucket = table.buckets[w.indexOf(Math.max(...w))];
  const locked = table.models.indexOf(bucket.lock);
  const chosen = locked >= 0 && !Number.isNaN(quality[locked]) ? locked : best(utility, cost);
  const rest = utility.map((u, m) => (m === chosen ? -Infinity : u));
  const fallback = rest.some((u) => u > -Infinity) ? best(rest, cost) : chosen;
  return {
    model: table.models[chosen], fallback: table.models[fallback], confidence,
    domain_id: bucket.domain_id,
    expected_quality: quality[chosen], expected_cost_usd: Number.isNaN(cost[chosen]) ? null : cost[chosen],
  };
}

const rows = readFileSync(join(folder, "conformance.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
const near = (a, b) => Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b));
const agrees = (wanted, found) => (typeof found === "number" && typeof wanted === "number" ? near(found, wanted) : found === wanted);
const wrong = rows.filter((row) => !Object.entries(decide(row.vector)).every(([key, found]) => agrees(row[key], found)));
console.log(JSON.stringify({ n_rows: rows.length, n_wrong: wrong.length }));
process.exit(wrong.length ? 1 : 0);
