"""Two answers compared: AlpacaEval's annotations and Arena's votes."""

from collections.abc import Iterator

from pipeline.readers.chats import user_turns
from pipeline.readers.fields import Fields, Reader, read_flat, spread
from pipeline.readers.paths import Record, from_json, value_at

_FIELDS = Fields(
    prompt=("prompt",),
    model=("model",),
    request_id=("id",),
    scores=lambda side: {"won": side["won"]},
)
_NOTE = (
    "quality is 1 for the answer that was preferred, 0 for the other and 0.5 for a tie: a share of "
    "comparisons won, not to be mixed with absolute scores"
)
_WINNERS = {"model_a": 1.0, "model_b": 0.0}
_TIES = ("tie", "tie (bothbad)", "both_bad", "bothbad")


def _annotation(record: Record) -> Iterator[Record]:
    """Yield both sides of an AlpacaEval annotation; preference 1 is output_1, 2 is output_2."""
    preference = value_at(record, "preference")
    share = preference - 1 if isinstance(preference, int | float) else preference
    first = 1 - share if isinstance(share, int | float) else share
    yield from _sides(record, "instruction", ("generator_1", "generator_2"), (first, share))


def _vote(record: Record) -> Iterator[Record]:
    share = _share_of_a(record)
    other = None if share is None else 1.0 - share
    yield from _sides(record, "prompt", ("model_a", "model_b"), (share, other))


def _sides(
    record: Record, prompt: str, models: tuple[str, str], won: tuple[object, object]
) -> Iterator[Record]:
    text = value_at(record, prompt) or value_at(record, "conversation_a")
    listed = from_json(text) if isinstance(text, str) else text
    if isinstance(listed, list) and all(isinstance(turn, str | None) for turn in listed):
        text = user_turns(listed)
    number = value_at(record, "id") or value_at(record, "question_id")
    for name, share in zip(models, won, strict=True):
        yield {"prompt": text, "model": value_at(record, name), "won": share, "id": number}


def _share_of_a(record: Record) -> float | None:
    """Return 1 if a won, 0 if b did, 0.5 for a tie; None if nobody voted."""
    winner = value_at(record, "winner")
    if winner in _TIES:
        return 0.5
    if winner is not None:
        return _WINNERS.get(str(winner))
    votes = [str(value_at(record, f"winner_{name}")) for name in ("model_a", "model_b", "tie")]
    shares = dict(zip((1.0, 0.0, 0.5), votes, strict=True))
    return next((share for share, vote in shares.items() if vote in ("1", "1.0", "True")), None)


READERS = (
    Reader(
        name="alpaca-eval",
        title="AlpacaEval annotations",
        signatures=(("instruction", "output_1", "output_2", "preference"),),
        read=spread(_annotation, read_flat(_FIELDS)),
        note=_NOTE,
        quality_scale="0-1",
    ),
    Reader(
        name="arena",
        title="Arena votes",
        signatures=(
            ("model_a", "model_b", "prompt", "winner_model_a", "winner_model_b"),
            ("model_a", "model_b", "winner", "conversation_a"),
            ("model_a", "model_b", "winner", "prompt"),
        ),
        read=spread(_vote, read_flat(_FIELDS)),
        note=_NOTE,
        quality_scale="0-1",
    ),
)
