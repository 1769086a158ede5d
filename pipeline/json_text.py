"""Values as JSON that every reader takes: what is no number becomes null."""

import json
import math


def json_text(value: object) -> str:
    """Return one line of JSON; times and other types as text.

    >>> json_text({"a": [float("nan"), 1.5]})
    '{"a": [null, 1.5]}'
    """
    return json.dumps(finite(value), ensure_ascii=False, default=str)


def finite(value: object) -> object:
    """Return a value with null for NaN and infinity, also inside of lists and mappings."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value
