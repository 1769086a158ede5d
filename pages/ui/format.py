"""Numbers and foreign text as text for the screen. Unknown is a dash, never 0."""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

DASH = "–"
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_BREAKS_SHORTCODES = ":\u2060"  # a word joiner: no emoji, icon or colour directive can start
_EMPTY_LINES = re.compile(r"\n\s*\n")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def count(n: float | None) -> str:
    """Return a count with separators.

    >>> count(1785), count(None)
    ('1,785', '–')
    """
    return DASH if n is None else f"{n:,.0f}"


def counted(n: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "domain"), counted(0, "domain")
    ('1 domain', '0 domains')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def quality(value: float | None) -> str:
    """Return a quality in [0, 1] with three decimals.

    >>> quality(0.93492)
    '0.935'
    """
    return DASH if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """Return a fraction as a percentage: whole numbers, but no share is rounded to 0 or to all.

    >>> share(0.8814), share(0.0031), share(0.9991), share(None)
    ('88 %', '0.3 %', '99.9 %', '–')
    """
    if value is None:
        return DASH
    is_extreme = 0.0 < value < 0.01 or 0.99 < value < 1.0
    return f"{100 * value:.1f} %" if is_extreme else f"{100 * value:.0f} %"


def points(difference: float | None) -> str:
    """Return a difference of quality in points: hundredths, signed.

    >>> points(-0.0102), points(0.0)
    ('−1.0 points', '0.0 points')
    """
    return DASH if difference is None else f"{_signed(100 * difference)} points"


def dollars_per_1000(cost_usd: float | None) -> str:
    """Return what a thousand prompts cost, given what one costs, with the decimals of the tables.

    >>> dollars_per_1000(0.015037), dollars_per_1000(0.0000287), dollars_per_1000(2.5)
    ('$15.037', '$0.029', '$2,500')
    """
    return DASH if cost_usd is None else f"${1000 * cost_usd:,.{decimals([1000 * cost_usd])}f}"


def decimals(amounts: Iterable[float | None]) -> int:
    """Return with how many decimals costs of a thousand prompts stand in one column.

    Three; none where all are large, and more where a tiny one would be nothing.

    >>> decimals([15.0, 0.029]), decimals([2500.0, None]), decimals([0.0000123]), decimals([])
    (3, 0, 6, 3)
    """
    known = [abs(amount) for amount in amounts if amount]
    if not known:
        return 3
    least = min(known)
    return 0 if least >= 100 else max(3, 1 - math.floor(math.log10(least)))


def dollars(amount: float) -> str:
    """Return US dollars with at least two digits that tell something.

    >>> dollars(0.000049), dollars(math.inf)
    ('$0.000049', 'any price')
    """
    if math.isinf(amount):
        return "any price"
    if amount >= 100:
        return f"${amount:,.0f}"
    decimals = 2 if amount <= 0 else max(2, 1 - math.floor(math.log10(amount)))
    return f"${amount:.{decimals}f}"


def signed_dollars(amount: float) -> str:
    """Return a difference of US dollars, with two decimals or, below a cent, two digits.

    >>> signed_dollars(-1.5), signed_dollars(0.0004), signed_dollars(0.0)
    ('−$1.50', '+$0.00040', '$0.00')
    """
    sign = "" if amount == 0 else "−" if amount < 0 else "+"
    return f"{sign}{dollars(abs(amount))}"


def more_per_1000(cost_usd: float) -> str:
    """Return a difference of costs of a thousand prompts, given that of one.

    >>> more_per_1000(-0.0015), more_per_1000(0.0)
    ('−$1.500', '$0.000')
    """
    sign = "" if cost_usd == 0 else "−" if cost_usd < 0 else "+"
    return f"{sign}{dollars_per_1000(abs(cost_usd))}"


def cost_change(ratio: float | None) -> str:
    """Return a cost in words, as a ratio to another one.

    >>> cost_change(0.0318), cost_change(1.2), cost_change(0.9999)
    ('97 % less', '20 % more', 'the same')
    """
    if ratio is None:
        return DASH
    if abs(ratio - 1.0) < 0.0005:
        return "the same"
    return f"{share(abs(1.0 - ratio))} {'less' if ratio < 1.0 else 'more'}"


def interval(lo: float | None, hi: float | None) -> str:
    """Return a 95 % interval of a quality.

    >>> interval(0.9304, 0.9394)
    '0.930 to 0.939'
    """
    return DASH if lo is None or hi is None else f"{lo:.3f} to {hi:.3f}"


def points_interval(lo: float | None, hi: float | None) -> str:
    """Return a 95 % interval of a difference, in points.

    >>> points_interval(-0.0151, 0.0038)
    '−1.5 to +0.4'
    """
    return DASH if lo is None or hi is None else f"{_signed(100 * lo)} to {_signed(100 * hi)}"


def size(n_bytes: int) -> str:
    """Return the size of a file.

    >>> size(512), size(20_400), size(97_000_000)
    ('512 bytes', '20 kB', '97 MB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:,.0f} {unit}"
    return f"{n_bytes} bytes"


def when(time: datetime | None) -> str:
    """Return a time to the minute.

    >>> when(datetime(2026, 11, 23, 3, 4, 59))
    '2026-11-23 03:04'
    """
    return DASH if time is None else f"{time:%Y-%m-%d %H:%M}"


def as_markdown(text: str) -> str:
    r"""Return foreign text so that Markdown shows it letter by letter.

    >>> as_markdown("a *b* <i>")
    'a \\*b\\* \\<i\\>'
    """
    escaped = _PUNCTUATION.sub(r"\\\1", one_line(text))
    return escaped.replace(":", _BREAKS_SHORTCODES)


def as_label(text: str, *, longest: int = 44) -> str:
    """Return foreign text so that Plotly shows it letter by letter, on one line.

    >>> as_label("a <b>&amp;"), as_label("abcdefgh", longest=5)
    ('a &lt;b&gt;&amp;amp;', 'abcd…')
    """
    short = shorten(one_line(text), longest=longest)
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def short_models(model_ids: Sequence[str]) -> list[str]:
    """Return model ids without what stands before the last slash, where that stays unambiguous.

    >>> short_models(["a/small", "b/large"]), short_models(["a/m", "b/m"])
    (['small', 'large'], ['a/m', 'b/m'])
    """
    short = [model_id.rsplit("/", 1)[-1] for model_id in model_ids]
    return short if len(set(short)) == len(set(model_ids)) and all(short) else list(model_ids)


def one_line(text: str) -> str:
    r"""Return text without line breaks, control characters and marks that turn its direction.

    >>> one_line("a\n\u202eb")
    'a b'
    """
    return " ".join(_UNSEEN.sub(" ", text).split())


def shorten(text: str, *, longest: int) -> str:
    """Return the start of a text, with an ellipsis where something was left out."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def excerpt(text: str, *, longest: int = 600) -> str:
    r"""Return the start of a prompt without empty lines, and how much of it is not shown.

    >>> excerpt("abcdef", longest=4), excerpt("a\n \n\nb")
    ('abcd… (2 more characters)', 'a\nb')
    """
    text = _EMPTY_LINES.sub("\n", text.strip())
    rest = len(text) - longest
    return text if rest <= 0 else f"{text[:longest]}… ({rest:,} more characters)"


def _signed(value: float) -> str:
    rounded = round(value, 1) + 0.0  # no minus zero
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"
