import numpy as np
import pytest

from pipeline.axes.axis import Axis
from pipeline.axes.ranking import ranked_elements
from pipeline.axes.reading import AxisReading

AXIS = Axis(name="c", values=("a", "b", "c", "d"), signals=())


def ranked(*rows):
    held = np.array(rows, dtype=np.float64).reshape(len(rows), 4)
    reading = AxisReading(axis=AXIS, probabilities=held, fired=np.zeros((len(rows), 0), dtype=bool))
    return ranked_elements([f"p{i}" for i in range(len(rows))], reading)


def test_weights_by_hand():
    """Two leading values share 2/3 and 1/3; three 4/7, 2/7 and 1/7; one takes all."""
    found = ranked([0.5, 0.3, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25], [0.9, 0.1, 0.0, 0.0])
    assert found.rows() == [
        ("p0", "capability:a", pytest.approx(2 / 3)),
        ("p0", "capability:b", pytest.approx(1 / 3)),
        ("p1", "capability:a", pytest.approx(4 / 7)),
        ("p1", "capability:b", pytest.approx(2 / 7)),
        ("p1", "capability:c", pytest.approx(1 / 7)),
        ("p2", "capability:a", 1.0),
    ]


def test_the_likeliest_counts_however_unlikely():
    """Every prompt has at least one."""
    assert ranked([0.1, 0.2, 0.1, 0.1]).rows() == [("p0", "capability:b", 1.0)]


def test_no_prompts():
    """No rows, but the columns."""
    assert ranked().schema.names() == ["prompt_id", "element", "weight"]
