"""Which column of an input file is what: given by the user, saved as a preset, or detected.

Units come from a column's name or from the user, never from its values.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

from profiles.errors import UsageError

NO_COLUMN = "-"
FIELDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    # field: names in falling order of certainty; those in one group are equally certain
    "prompt": (
        ("prompt", "messages"),
        ("query", "question", "instruction", "prompttext", "userprompt", "usermessage", "chat"),
        ("input", "text", "conversation", "request", "body", "params", "content"),
    ),
    "model": (("modelid",), ("model",), ("modelname",), ("candidatemodel", "llm", "engine")),
    "quality": (
        ("quality",),
        ("score", "rating", "reward", "correct", "iscorrect", "accuracy", "performance",
         "thumbs", "feedback", "passed", "grade"),
    ),
    "cost_usd": (("costusd",), ("cost",), ("totalcost",), ("totalcostusd", "spend", "spendusd")),
    "latency": (
        ("latencys",), ("latencyms",), ("latency",),
        ("latencyseconds", "responsetime", "responsetimes", "responsetimems", "durations",
         "durationms", "duration", "elapsed", "elapseds", "elapsedms", "latencysec"),
    ),
    "n_tokens_in": (
        ("ntokensin",), ("tokensin", "inputtokens", "prompttokens", "ninputtokens"),
    ),
    "n_tokens_out": (
        ("ntokensout",), ("tokensout", "outputtokens", "completiontokens", "noutputtokens"),
    ),
    "prompt_id": (("promptid",), ("sampleid", "questionid", "queryid", "externalid")),
    "request_id": (("requestid",), ("customid",), ("callid", "traceid")),
    "occurred_at": (
        ("occurredat",), ("timestamp", "createdat"),
        ("timestampms", "timestamps", "createdatms", "requesttime", "starttime", "time",
         "datetime", "date", "created"),
    ),
    "label": (
        ("label",), ("category",), ("task",), ("evalname",), ("topic",), ("source",),
        ("subject",), ("domain",), ("dataset",), ("intent",),
    ),
    "propensity": (("propensity",), ("choiceprobability",)),
}  # fmt: skip
_STRICT = ("prompt", "quality")  # a wrong guess would do harm, so equals are asked about
_ISO = "iso"
UNITS: Mapping[str, tuple[str, ...]] = {"latency": ("s", "ms"), "occurred_at": (_ISO, "s", "ms")}
"""Of the fields that have one; first what is meant where neither name nor user says."""
_EXAMPLE = "--mapping prompt=COLUMN,model=COLUMN,quality=COLUMN"


@dataclass(frozen=True, kw_only=True)
class WideModel:
    """The columns of one model in a file with one row per prompt."""

    model: str
    quality: str
    cost_usd: str | None = None


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """For each field the column that holds it; None is not known, `-` is not to be looked for."""

    prompt: str | None = None
    """Text, a chat, or a request body."""
    model: str | None = None
    quality: str | None = None
    cost_usd: str | None = None
    """US dollars per call."""
    latency: str | None = None
    n_tokens_in: str | None = None
    n_tokens_out: str | None = None
    prompt_id: str | None = None
    """The prompt's id in the file; kept as `external_id`."""
    request_id: str | None = None
    occurred_at: str | None = None
    label: str | None = None
    propensity: str | None = None
    latency_unit: str = "s"
    """`s` or `ms`."""
    occurred_at_unit: str = _ISO
    """`iso` for ISO 8601 text, otherwise `s` or `ms` since 1970."""
    quality_scale: str = "auto"
    wide: tuple[WideModel, ...] = ()
    """Models of the wide layout; then `model`, `quality` and `cost_usd` are None."""

    def __post_init__(self) -> None:
        for name, units in UNITS.items():
            if getattr(self, f"{name}_unit") not in units:
                raise UsageError(
                    f"Expected {name}_unit to be one of {', '.join(units)}, found "
                    f"{getattr(self, f'{name}_unit')!r}. Correct the mapping."
                )

    def columns(self) -> dict[str, str]:
        """Return the column of each field that has one; wide columns are not among them."""
        named = {name: getattr(self, name) for name in FIELDS}
        return {name: column for name, column in named.items() if column not in (None, NO_COLUMN)}


def detect_mapping(
    columns: Sequence[str],
    sample: Sequence[Mapping[str, object]],
    *,
    given: ColumnMapping | None = None,
) -> ColumnMapping:
    """Complete a mapping from the names of the columns.

    Parameters
    ----------
    columns
        Names in file order.
    sample
        A few rows; used only to tell whether a column may be a model's quality.
    given
        What the user named; it wins.

    Raises
    ------
    UsageError
        If a named column does not exist, if no column or more than one may be the prompt or the
        quality, or if there is a quality but no model.
    """
    given = given or ColumnMapping()
    _require_known(given, columns)
    prompt = given.prompt or _find(columns, "prompt")
    if prompt is None or prompt == NO_COLUMN:
        raise UsageError(
            f"Expected a column with the prompt, found {_list(columns)}. Name it with {_EXAMPLE}."
        )
    found = _complete(replace(given, prompt=prompt), columns, sample, _find)
    if found.columns().keys() >= {"quality"} and "model" not in found.columns():
        raise UsageError(
            f"Column {found.quality!r} looks like quality, but no column names the model among "
            f"{_list(columns)}. Add model=COLUMN to --mapping, or quality=- to ignore it."
        )
    return found


def suggest_mapping(
    columns: Sequence[str], sample: Sequence[Mapping[str, object]]
) -> ColumnMapping:
    """Return what `detect_mapping` would find; what it would ask about is left open."""
    given = ColumnMapping(prompt=_find_certain(columns, "prompt"))
    return _complete(given, columns, sample, _find_certain)


def _complete(
    given: ColumnMapping,
    columns: Sequence[str],
    sample: Sequence[Mapping[str, object]],
    find: Callable[[Iterable[str], str], str | None],
) -> ColumnMapping:
    """Return a mapping with every field but the prompt looked for where it is not named."""
    taken = set(given.columns().values())
    free = [name for name in columns if name not in taken]
    wide = given.wide or (() if _is_long(given, free) else find_wide(free, sample))
    skipped = ("prompt", "model", "quality", "cost_usd") if wide else ("prompt",)
    found = given
    for name in FIELDS:
        if getattr(given, name) is None and name not in skipped:
            found = _with_column(found, name, find(free, name))
    return replace(found, wide=wide)


def detect_prompt(columns: Sequence[str], *, given: ColumnMapping | None = None) -> str:
    """Return the column that holds the prompt; all that routing a file needs.

    Raises
    ------
    UsageError
        If no column, or more than one, may be it.
    """
    only = ColumnMapping(prompt=given.prompt if given else None)
    off = dict.fromkeys((name for name in FIELDS if name != "prompt"), NO_COLUMN)
    return str(detect_mapping(columns, [], given=replace(only, **off)).prompt)


def parse_mapping(text: str) -> ColumnMapping:
    """Read a mapping as written on the command line, or a preset's JSON.

    Parameters
    ----------
    text
        Such as ``prompt=question,model=engine,latency_ms=took,quality_scale=1-5``, or for the wide
        layout ``wide:MODEL=QUALITY_COLUMN:COST_COLUMN`` once per model. ``label=-`` ignores one.

    Raises
    ------
    UsageError
        If a field is unknown or named twice, or the text has another form.
    """
    if text.lstrip().startswith("{"):
        return _parse_preset(text)
    named: dict[str, str] = {}
    wide: list[WideModel] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        if not (name and equals and column):
            raise UsageError(
                f"Expected FIELD=COLUMN, found {part!r} in the mapping. E.g. {_EXAMPLE}."
            )
        if name.startswith("wide:"):
            quality, _, cost = column.partition(":")
            wide.append(WideModel(model=name[5:], quality=quality, cost_usd=cost or None))
        else:
            _add_named(named, name, column)
    return replace(ColumnMapping(), **named, wide=tuple(wide))


def dump_mapping(mapping: ColumnMapping) -> str:
    """Return a mapping as JSON that `parse_mapping` reads; the same mapping gives the same text."""
    kept = {name: value for name, value in asdict(mapping).items() if value not in (None, ())}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def write_mapping(mapping: ColumnMapping) -> str:
    """Return a mapping as one would give it to `--mapping`; JSON where a name does not allow it."""
    named = {
        f"{name}_{getattr(mapping, f'{name}_unit')}" if name in UNITS else name: getattr(
            mapping, name
        )
        for name in FIELDS
    }
    written = [f"{name}={column}" for name, column in named.items() if column is not None]
    for wide in mapping.wide:
        cost = f":{wide.cost_usd}" if wide.cost_usd else ""
        written.append(f"wide:{wide.model}={wide.quality}{cost}")
    text = ",".join(written)
    try:
        is_same = parse_mapping(text) == mapping
    except UsageError:  # a comma or an equals sign in a name
        is_same = False
    return text if is_same else dump_mapping(mapping)


def describe(mapping: ColumnMapping) -> list[str]:
    """Return one line for each field that was found, to be shown before an import."""
    units = {
        "cost_usd": "US dollars per call",
        "latency": mapping.latency_unit,
        "occurred_at": "ISO 8601, UTC unless it says otherwise"
        if mapping.occurred_at_unit == _ISO
        else f"{mapping.occurred_at_unit} since 1970",
        "quality": f"scale {mapping.quality_scale}",
    }
    lines = [
        f"{name} <- {column}" + (f" ({units[name]})" if name in units else "")
        for name, column in mapping.columns().items()
    ]
    for wide in mapping.wide:
        cost = f", cost_usd <- {wide.cost_usd}" if wide.cost_usd else ", cost unknown"
        lines.append(f"model {wide.model}: quality <- {wide.quality}{cost}")
    return lines


def _add_named(named: dict[str, str], name: str, column: str) -> None:
    """Store one FIELD=COLUMN, splitting the unit off names such as `latency_ms`."""
    settings = {"quality_scale", "latency_unit", "occurred_at_unit"}
    base, _, unit = name.rpartition("_")
    if unit in UNITS.get(base, ()):
        name, named[f"{base}_unit"] = base, unit
    if name in named:
        raise UsageError(f"Expected {name} once in the mapping, found it twice. Remove one.")
    if name not in FIELDS and name not in settings:
        known = [*FIELDS, "latency_ms", "occurred_at_ms", "quality_scale", "wide:MODEL"]
        raise UsageError(f"Unknown field {name!r} in the mapping; known: {', '.join(known)}.")
    named[name] = column
    if name in UNITS and f"{name}_unit" not in named:
        named.update(unit_of(name, column))


def _parse_preset(text: str) -> ColumnMapping:
    try:
        values = json.loads(text)
        wide = tuple(WideModel(**model) for model in values.pop("wide", ()))
        return ColumnMapping(**values, wide=wide)
    except (ValueError, TypeError) as error:
        known = ", ".join(item.name for item in fields(ColumnMapping))
        raise UsageError(
            f"Expected a mapping preset as a JSON object with the keys {known}, found: {error}. "
            "Save it again, or write the mapping out."
        ) from error


def _require_known(given: ColumnMapping, columns: Sequence[str]) -> None:
    wide = [name for model in given.wide for name in (model.quality, model.cost_usd) if name]
    missing = [name for name in [*given.columns().values(), *wide] if name not in columns]
    if missing:
        raise UsageError(
            f"The mapping names columns that are not there: {_list(missing)}. "
            f"Found {_list(columns)}."
        )


def _find(columns: Iterable[str], name: str) -> str | None:
    """Return the column for a field: the first in the most certain group of names."""
    found = _candidates(columns, name)
    if len(found) > 1 and name in _STRICT:
        raise UsageError(
            f"Expected one column with the {name}, found {_list(found)}. "
            f"Choose with --mapping {name}=COLUMN."
        )
    return next(iter(found), None)


def _find_certain(columns: Iterable[str], name: str) -> str | None:
    """Return what `_find` returns, and None where it asks."""
    found = _candidates(columns, name)
    return None if len(found) > 1 and name in _STRICT else next(iter(found), None)


def _candidates(columns: Iterable[str], name: str) -> list[str]:
    """Return the columns that a field's most certain group of names fits."""
    by_name: dict[str, list[str]] = {}
    for column in columns:
        by_name.setdefault(_plain(column), []).append(column)
    groups = ([c for synonym in group for c in by_name.get(synonym, [])] for group in FIELDS[name])
    return next(filter(None, groups), [])


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())


def _with_column(mapping: ColumnMapping, name: str, column: str | None) -> ColumnMapping:
    if column is None:
        return mapping
    unit = unit_of(name, column) if name in UNITS else {}
    return replace(mapping, **{name: column}, **unit)


def unit_of(name: str, column: str) -> dict[str, str]:
    """Return the unit that the column's name states; seconds and ISO 8601 where it is silent."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower())
    if {"ms", "millis", "milliseconds", "msec"} & set(words):
        return {f"{name}_unit": "ms"}
    if {"s", "sec", "seconds", "epoch", "unix"} & set(words):
        return {f"{name}_unit": "s"}
    return {}


def _is_long(given: ColumnMapping, free: Sequence[str]) -> bool:
    """Tell whether the file has a column for the model, named or found."""
    return given.model is not None or given.quality is not None or _find(free, "model") is not None


def find_wide(
    columns: Sequence[str], sample: Sequence[Mapping[str, object]]
) -> tuple[WideModel, ...]:
    """Return the models `X` with `X|total_cost`, `X_cost` or `cost_X`, or with `quality_X`."""
    found = []
    for column in columns:
        model = re.sub(r"^quality[_|:.]|[_|:.]quality$", "", column)
        costs = [f"{model}|total_cost", f"{model}_cost", f"cost_{model}", f"{model}_cost_usd"]
        cost = next((name for name in costs if name in columns and name != column), None)
        # beside `X|total_cost` nothing else can be meant, so any scale will do
        highest = math.inf if cost == costs[0] else 1.0
        if (cost or model != column) and model and _is_numeric(column, sample, highest):
            found.append(WideModel(model=model, quality=column, cost_usd=cost))
    return tuple(found)


def _is_numeric(column: str, sample: Sequence[Mapping[str, object]], highest: float) -> bool:
    """Tell whether every known value is a number from 0 to `highest`."""
    known = [row[column] for row in sample if row.get(column) not in (None, "")]
    try:
        numbers = [float(value) for value in known]  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        return False
    return all(0 <= number <= highest or math.isnan(number) for number in numbers)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:30])
    return f"{shown} and {len(names) - 30} more" if len(names) > 30 else shown
