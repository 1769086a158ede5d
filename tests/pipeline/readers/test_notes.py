import pytest

from pipeline.readers.notes import Notes


def test_notes_by_hand():
    """Numbers of one name are averaged in any order; what is said of the call itself wins."""
    notes = Notes()
    for about, name, value in (
        ("trace", "quality", 1.0),
        ("call", "quality", "0.5"),
        ("call", "quality", 1.0),
        ("trace", "tone", "kind"),
        ("trace", "mood", "good"),
        ("trace", "mood", "bad"),
    ):
        notes.add(about, name, value)
    assert notes.on("trace", "call") == {"quality": 0.75, "tone": "kind", "mood": None}


@pytest.mark.parametrize("ids", [(None,), (None, "call"), ("None",)])
def test_a_score_of_nothing_is_said_of_no_call(ids):
    """A score without an id and a call without one are no pair."""
    notes = Notes()
    notes.add(None, "quality", 1.0)
    assert notes.on(*ids) == {}
