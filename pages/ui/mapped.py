"""How a file is read: its encoding, and which of its columns is what."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import format as text
from pipeline.charset import UTF8, encoding_named
from pipeline.mapping import (
    FIELDS,
    NO_COLUMN,
    UNITS,
    ColumnMapping,
    WideModel,
    detect_mapping,
    suggest_mapping,
    unit_of,
    write_mapping,
)
from pipeline.preview import Preview, is_in_another_encoding
from profiles.errors import UsageError

_NAMES: Mapping[str, tuple[str, str]] = {
    "prompt": ("Prompt", "The text, a chat, or the body of a request."),
    "model": ("Model", "Who answered."),
    "quality": ("Quality", "How good the answer was."),
    "cost_usd": ("Cost, $", "Of the one call."),
    "latency": ("Latency", "Of the one call."),
    "n_tokens_in": ("Tokens in", "Of the prompt."),
    "n_tokens_out": ("Tokens out", "Of the answer."),
    "occurred_at": ("Time", "When it was asked; drift needs it."),
    "label": ("Label", "A category that came with the data; domains can be made of labels."),
    "prompt_id": ("Id of the prompt", "Kept beside the prompt."),
    "request_id": ("Id of the call", "The same id twice is one call."),
    "propensity": ("Propensity", "The chance that this call had of getting its model."),
}
_ENCODINGS = (
    "windows-1252", "windows-1250", "windows-1251", "iso-8859-1", "shift_jis", "gb18030", "utf-8",
)  # fmt: skip
_UNITS = {"s": "seconds", "ms": "milliseconds", "iso": "ISO 8601 text"}
_LONG, _WIDE = "one call: a prompt and the model that answered", "a prompt, with columns per model"
_KNOWN, _OWN = "as what it is", "as columns that I choose"
_OF_A_MODEL = ("model", "quality", "cost_usd", "latency", "n_tokens_in", "n_tokens_out")
_NONE = -1


def encoding(path: Path) -> str:
    """Return the encoding of a text file; where it is not UTF-8, let it be chosen.

    Raises
    ------
    InputFileError
        If the file cannot be read.
    """
    if not is_in_another_encoding(path):
        return UTF8
    chosen = st.selectbox(
        "Encoding",
        _ENCODINGS,
        key=f"encoding-{path}",
        width=260,
        help="The text is not UTF-8. Choose what shows accents and signs as they should be.",
    )
    return encoding_named(chosen)


def encoding_words(encoding: str) -> list[str]:
    """Return what tells a verb the encoding; nothing for UTF-8."""
    return [] if encoding == UTF8 else ["--encoding", encoding]


def options(found: Preview, *, key: str) -> list[str] | None:
    """Let be chosen how a file is read; None while something that is needed is open.

    Returns
    -------
    list of str
        Words for `promptshed import`: none where the file is read so by itself.
    """
    if found.tool is not None:
        read = st.segmented_control(
            f"Recognised: {text.as_markdown(found.tool)}. Read it",
            (_KNOWN, _OWN),
            default=_KNOWN,
            required=True,
            key=f"tool-{key}",
        )
        if read == _KNOWN:
            return []
    rows = [dict(zip(found.columns, row, strict=False)) for row in found.rows]
    guess = suggest_mapping(found.columns, rows)
    chosen = _choose(found, guess, key=key)
    if chosen.prompt is None:
        st.info("Choose the column with the prompt.", icon=":material/info:")
        return None
    given = _given(guess, chosen)
    try:
        if detect_mapping(found.columns, rows) == chosen and found.tool is None:
            return []
    except UsageError:
        pass  # the file alone does not tell: what was chosen does
    try:
        detect_mapping(found.columns, rows, given=given)
    except UsageError:
        st.warning("A quality needs its model: choose that column too, or none for the quality.")
        return None
    return ["--mapping", write_mapping(given)]


def _choose(found: Preview, guess: ColumnMapping, *, key: str) -> ColumnMapping:
    layout = st.segmented_control(
        "Each row is",
        (_LONG, _WIDE),
        default=_WIDE if guess.wide else _LONG,
        required=True,
        key=f"layout-{key}",
    )
    is_wide = layout == _WIDE
    names = [name for name in _NAMES if not (is_wide and name in _OF_A_MODEL)]
    chosen = ColumnMapping()
    grid = st.grid(4, min_column_width=190)
    for name in names:
        column = _column(grid, found, guess, name, key=key)
        chosen = replace(chosen, **{name: column})
        if column is not None and name in UNITS:
            unit = _unit(grid, name, column, key=key)
            chosen = replace(chosen, **{f"{name}_unit": unit})
    return replace(chosen, wide=_models(found, guess, key=key)) if is_wide else chosen


def _column(
    grid: DeltaGenerator,
    found: Preview,
    guess: ColumnMapping,
    name: str,
    *,
    key: str,
) -> str | None:
    label, help_ = _NAMES[name]
    guessed = getattr(guess, name)
    is_needed = name == "prompt"
    places = range(0 if is_needed else _NONE, len(found.columns))
    start = found.columns.index(guessed) if guessed else None if is_needed else _NONE
    place = grid.selectbox(
        label,
        places,
        index=None if start is None else places.index(start),
        format_func=lambda place: "none" if place == _NONE else found.columns[place],
        placeholder="choose one",
        key=f"map-{name}-{key}",
        help=help_,
    )
    return None if place in (None, _NONE) else found.columns[place]


def _unit(grid: DeltaGenerator, name: str, column: str, *, key: str) -> str:
    """Let the unit be chosen; the column's name says where to start."""
    units = list(UNITS[name])
    guessed = unit_of(name, column).get(f"{name}_unit", units[0])
    unit = grid.selectbox(
        f"{_NAMES[name][0]} is in",
        units,
        index=units.index(guessed),
        format_func=_UNITS.__getitem__,
        key=f"unit-{name}-{column}-{key}",
    )
    return str(unit)


def _models(found: Preview, guess: ColumnMapping, *, key: str) -> tuple[WideModel, ...]:
    """Let the columns of every model be chosen; a row without a quality is no model."""
    rows = [[wide.model, wide.quality, wide.cost_usd] for wide in guess.wide]
    columns = {
        "Model": st.column_config.TextColumn(help="The name it gets; empty: that of its quality."),
        "Quality": st.column_config.SelectboxColumn(options=list(found.columns), required=True),
        "Cost, $": st.column_config.SelectboxColumn(options=list(found.columns)),
    }
    edited = st.data_editor(
        pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row"),
        column_config=columns,
        num_rows="dynamic",
        key=f"models-{key}",
    )
    return tuple(
        WideModel(model=model or quality, quality=quality, cost_usd=cost)
        for model, quality, cost in edited.iter_rows()
        if quality
    )


def _given(guess: ColumnMapping, chosen: ColumnMapping) -> ColumnMapping:
    """Return what to name of a choice; fields that would be found but are not wanted are off."""
    off = {
        name: NO_COLUMN
        for name in FIELDS
        if getattr(chosen, name) is None and getattr(guess, name) is not None
    }
    if guess.wide and not chosen.wide and chosen.model is None:
        off["model"] = NO_COLUMN  # or the columns of models would be found again
    return replace(chosen, **off)
