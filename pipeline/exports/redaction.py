"""Prompts as examples for other services, with what is likely to be personal masked.

Patterns, no language model. Masked: addresses of e-mail and of the web, every run of digits, and
capitalised words that do not begin a sentence, or stand beside another one. Not caught: names in
small letters or of one word at the start of a sentence, scripts without capitals, addresses and
secrets written in words. Whoever publishes examples has to read them.
"""

import re

_MASKS = (
    (re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "<e-mail>"),
    (re.compile(r"(?<!\w)@\w+"), "<name>"),
    (re.compile(r"[^\W\d_]*\d[\w.,:/-]*\w|\d"), "<number>"),
)
_WORD = r"[^\W\d_a-zà-öø-ÿ][^\W\d_]+(?:[-'\u2019][^\W\d_]+)*"
_PAIR = re.compile(rf"\b{_WORD}(?:\s+{_WORD})+")
_INSIDE = re.compile(rf"(?<=[^\s.!?:>\n])([ \t]+){_WORD}")


def redact(text: str) -> str:
    """Return a text with what looks personal masked.

    >>> redact("Mail ann.b@x.org that John Smith owes 1,250.00 to Eve, see https://x.org/a?b=1")
    'Mail <e-mail> that <name> owes <number> to <name>, see <url>'
    """
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return _INSIDE.sub(r"\1<name>", _PAIR.sub("<name>", text))
