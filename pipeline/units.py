"""Units of time, in one place: whatever a file logs becomes seconds, or a moment in UTC."""

import datetime as dt
import re
from collections.abc import Mapping

ISO = "iso"
PER_SECOND: Mapping[str, float] = {"s": 1.0, "ms": 1e3, "ns": 1e9}
_USUAL_LATENCY_S = (0.05, 300.0)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def read_time(text: str, unit: str) -> dt.datetime | None:
    """Return a moment in UTC, or None if the text is none.

    Parameters
    ----------
    unit
        `iso` for ISO 8601 (UTC unless it says otherwise), otherwise `s`, `ms` or `ns` since 1970.
    """
    try:
        if unit != ISO:
            return dt.datetime.fromtimestamp(float(text) / PER_SECOND[unit], dt.UTC)
        if not _ISO_DATE.match(text):
            return None
        time = dt.datetime.fromisoformat(text)
        return time.replace(tzinfo=time.tzinfo or dt.UTC).astimezone(dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def seconds(value: object, unit: str) -> object:
    """Return a duration in seconds; what is no number is left for whoever refuses it.

    >>> seconds("1200", "ms"), seconds("soon", "ms"), seconds(None, "s")
    (1.2, 'soon', None)
    """
    if value is None or isinstance(value, bool):
        return value
    try:
        return float(str(value)) / PER_SECOND[unit]
    except ValueError:
        return value


def seconds_between(start: object, end: object, unit: str) -> float | None:
    """Return the seconds from one logged moment to another; None where one is unknown.

    >>> seconds_between("2026-01-31T12:00:00Z", "2026-01-31 12:00:01.5", "iso")
    1.5
    """
    moments = [None if value is None else read_time(str(value), unit) for value in (start, end)]
    if moments[0] is None or moments[1] is None:
        return None
    return (moments[1] - moments[0]).total_seconds()


def doubts(median_latency_s: float | None) -> tuple[str, ...]:
    """Return a warning if the usual latency of a file is none that a language model has.

    >>> doubts(1500.0)
    ('note: half of the latencies are above 1500 s; say latency_ms= or latency_s= in --mapping',)
    >>> doubts(1.5), doubts(None)
    ((), ())
    """
    least, most = _USUAL_LATENCY_S
    if median_latency_s is None or least <= median_latency_s <= most:
        return ()
    found = f"{'above' if median_latency_s > most else 'below'} {median_latency_s:.4g} s"
    told = f"note: half of the latencies are {found}; say latency_ms= or latency_s= in --mapping"
    return (told,)
