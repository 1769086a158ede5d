"""Model catalogues on disk: the one that ships with the package, and the team's own beside it."""

import json
from collections.abc import Sequence
from datetime import date
from importlib import import_module, resources, util
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.atomic import replaced_file
from profiles.catalog import Catalog, join_catalogs, override, parse_catalog
from profiles.errors import InputFileError, UsageError

_HEAD = "# What this team knows of its models; it overrides what Promptshed knows.\nmodels:\n"


def models_path(store_path: Path) -> Path:
    """Return where the team's own models file is looked for: beside the store."""
    return store_path.with_suffix(".models.yml")


def load_catalog(own: Path) -> Catalog:
    """Return the models that ship with the package, overridden by the team's own file if any.

    Raises
    ------
    InputFileError
        If the team's file cannot be read or is wrong; see `profiles.catalog.parse_catalog`.
    """
    folder = resources.files("profiles") / "models"
    files = sorted((part for part in folder.iterdir() if part.name.endswith(".yml")), key=str)
    shipped = join_catalogs(
        [parse_catalog(part.read_text("utf-8"), name=part.name) for part in files]
    )
    return override(shipped, parse_catalog(_read(own), name=own.name)) if own.exists() else shipped


def fill_prices(own: Path, model_ids: Sequence[str], *, today: date) -> dict[str, str]:
    """Add prices that the package `genai-prices` knows to the team's own file; nothing is fetched.

    Returns
    -------
    dict
        For each model found, the name under which the package has it; models not found are
        absent. Prices that depend on the hour are left out; of those that rise with the length
        of the prompt, the one for short prompts is taken.

    Raises
    ------
    UsageError
        If the package is not installed.
    InputFileError
        If the file's list of models does not stand at its end, so that none can be added.
    """
    if util.find_spec("genai_prices") is None:
        raise UsageError("Filling prices needs an extra: pip install 'promptshed[prices]'.")
    found = {model_id: entry for model_id in model_ids if (entry := _entry(model_id, today))}
    if found:
        text = (_read(own).rstrip("\n") + "\n" if own.exists() else _HEAD) + "".join(
            entry for _, entry in found.values()
        )
        try:
            parse_catalog(text, name=own.name)
        except InputFileError as error:
            raise InputFileError(f"{error} New models are added at the end of `models`.") from error
        with replaced_file(own) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return {model_id: name for model_id, (name, _) in found.items()}


def price_entry(model_id: str, price_in: float, price_out: float, *, since: date) -> str:
    """Return the entry of a models file that gives a model other prices from a day on.

    Parameters
    ----------
    price_in, price_out
        US dollars for a million tokens.
    """
    return (
        f"  - model_id: {json.dumps(model_id)}\n"
        "    source_url: our contract\n"
        f"    checked_on: {since.isoformat()}\n"
        "    prices:\n"
        f"      - {{since: {since.isoformat()}, price_in_usd_per_mtok: {price_in:g}, "
        f"price_out_usd_per_mtok: {price_out:g}}}\n"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path}: expected a UTF-8 text that can be read: {error}") from error


def _entry(model_id: str, today: date) -> tuple[str, str] | None:
    """Return the package's name of a model and its entry in a models file."""
    snapshot = import_module("genai_prices.data_snapshot").get_snapshot()
    provider_id = "openrouter" if "/" in model_id else None
    try:
        provider, model = snapshot.find_provider_model(model_id, None, provider_id, None)
    except LookupError:
        return None
    prices = _dated(model.prices)
    if not prices:
        return None
    release = version("genai-prices")
    lines = [
        f'  - model_id: "{model_id}"  # {provider.id}: {model.id}',
        f"    source_url: https://pypi.org/project/genai-prices/{release}/",
        f"    checked_on: {today.isoformat()}",
        *([f"    context_tokens: {model.context_window}"] if model.context_window else []),
        "    prices:",
        *prices,
    ]
    return f"{provider.id}: {model.id}", "\n".join(lines) + "\n"


def _dated(prices: Any) -> list[str]:  # noqa: ANN401 - the package is optional, so are its types
    """Return one line for each price; none if some price is unknown or depends on the hour."""
    parts = [(part.constraint, part.prices) for part in prices] if isinstance(prices, list) else []
    lines: list[str] = []
    for constraint, price in parts or [(None, prices)]:
        since = getattr(constraint, "start_date", None)
        amounts = [_amount(getattr(price, f"{way}_mtok", None)) for way in ("input", "output")]
        if (constraint is not None and since is None) or None in amounts:
            return []
        begins = f"since: {since.isoformat()}, " if since else ""
        lines.append(
            f"      - {{{begins}price_in_usd_per_mtok: {amounts[0]}, "
            f"price_out_usd_per_mtok: {amounts[1]}}}"
        )
    return lines


def _amount(price: Any) -> str | None:  # noqa: ANN401
    base = getattr(price, "base", price)
    return None if base is None else f"{float(base)!r}"
