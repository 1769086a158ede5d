import numpy as np
import pytest

from pipeline.axes.manner import SENSITIVITY, TONE
from pipeline.axes.reading import LEAST_WEAK_LABELS, fit_axes, read_axes, weak_labels
from pipeline.axes.signals import read_signals
from pipeline.axes.tasks import CAPABILITIES
from pipeline.split import fold_numbers


@pytest.mark.parametrize(
    ("axis", "text", "value"),
    [
        ("complexity", "hi there", "trivial"),
        ("complexity", "Plan a roadmap step by step: first X, then Y, finally Z?", "multi-step"),
        ("capabilities", "```python\nprint(1)\n```", "coding"),
        ("capabilities", "Compute 3 * 4 + 5 and the ratio of 2 to 7", "reasoning"),
        ("capabilities", "Wie ist das Wetter und was soll ich nicht anziehen?", "multilingual"),
        ("capabilities", "今日の天気はどうですか", "multilingual"),
        ("capabilities", "cat -> chat\ndog -> chien\nbird -> ", "in-context learning"),
        ("capabilities", "Read the following passage and summarize its main idea", "comprehension"),
        ("capabilities", "", "instruction following"),
        ("urgency", "I need this ASAP, the server is down", "high"),
        ("urgency", "Das ist dringend", "high"),
        ("urgency", "No rush, not urgent, whenever you can", "low"),
        ("urgency", "What is the capital of France?", "normal"),
        ("tone", "Could you please help, thank you", "polite"),
        ("tone", "This is ridiculous!!! it still doesn't work", "frustrated"),
        ("tone", "What is the capital of France?", "neutral"),
        ("sensitivity", "My doctor prescribed antibiotics for the infection", "medical"),
        ("sensitivity", "Can my landlord sue me in court?", "legal"),
        ("sensitivity", "I want to die and end my life", "self-harm"),
        ("sensitivity", "Mail it to jane.roe@example.com", "personal data"),
        ("sensitivity", "What is the capital of France?", "none"),
        ("sensitivity", "", "none"),
        ("tone", "", "neutral"),
    ],
)
def test_plain_cases(axis, text, value):
    """What any person would say of these."""
    assert read_axes([text])[axis].values == [value]


def test_the_explanation_names_what_fired():
    """Signals of the value, in plain words; none where none fired."""
    readings = read_axes(["Mail it to jane.roe@example.com", "What is it?"])
    assert readings["sensitivity"].explain(0) == ["an e-mail address"]
    assert readings["sensitivity"].explain(1) == ["no sign of anything else"]


def test_two_kinds_of_sensitive_hold_at_once():
    """A patient's e-mail address is medical and personal, both likely."""
    held = read_axes(["The patient with diabetes is jane@example.com, a nurse wrote"])[
        "sensitivity"
    ].probabilities[0]
    likely = {v for v, p in zip(SENSITIVITY.values, held, strict=True) if p > 0.5}
    assert likely == {"medical", "personal data"}


def test_weak_labels_are_of_sure_texts_only():
    """Code is sure, nothing is nothing; without any sensitive word a text is of no such kind."""
    texts = ["```python\nprint(1)\n```", "hm"]
    found = weak_labels(read_signals(texts, CAPABILITIES), CAPABILITIES)
    assert found.tolist() == [CAPABILITIES.values.index("coding"), -1]
    texts = ["patients with cancer need surgery", "hm", "law"]
    found = weak_labels(read_signals(texts, SENSITIVITY), SENSITIVITY)
    assert found.tolist() == [1, 0, 2]


@pytest.fixture(scope="module")
def learned():
    """Two blobs of vectors: one of medical words, one of none."""
    generator = np.random.default_rng(0)
    n = 2 * LEAST_WEAK_LABELS
    texts = [f"patient {i} has a fever and an infection" for i in range(n)]
    texts += [f"a nice walk number {i}" for i in range(n)]
    centres = np.repeat([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], n, axis=0)
    vectors = centres + 0.1 * generator.normal(size=centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    folds = fold_numbers([str(i) for i in range(2 * n)], n_folds=5)
    return fit_axes(texts, vectors.astype(np.float32), folds)


def test_a_classifier_speaks_where_no_signal_fires(learned):
    """A text without a medical word, but with the vector of one, is medical, and says why."""
    vectors = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=np.float32)
    reading = read_axes(["it hurts", "it hurts"], vectors, learned)["sensitivity"]
    assert reading.values == ["medical", "none"]
    assert reading.explain(0) == ["like other prompts with signs of it"]
    assert (reading.confidence > 0.75).all()


def test_a_signal_is_never_outvoted_on_sensitivity(learned):
    """The classifier can add a kind, not take one away, also one that it does not know."""
    vector = np.array([[0.0, 1.0, 0.0]], dtype=np.float32)
    text = ["sue the landlord in court, says my doctor"]
    alone, both = read_axes(text), read_axes(text, vector, learned)
    for kind in ("legal", "medical"):
        column = SENSITIVITY.values.index(kind)
        found = both["sensitivity"].probabilities[0, column]
        assert found == alone["sensitivity"].probabilities[0, column] > 0.5


def test_only_axes_of_topics_and_tasks_learn(learned):
    """Tone is in the words, not in the topic; too few weak labels teach nothing."""
    assert set(learned) <= {"capabilities", "sensitivity"}
    assert learned["sensitivity"].values == ("none", "medical")
    assert not TONE.is_learned
    texts, vectors = ["law", "none"], np.eye(2, dtype=np.float32)
    assert fit_axes(texts, vectors, np.zeros(2, dtype=np.int64)) == {}


def test_probabilities_are_sound(learned):
    """In [0, 1]; rows sum to 1 where one value holds."""
    vectors = np.eye(3, dtype=np.float32)
    for reading in read_axes(["", "asap!!!", "law"], vectors, learned).values():
        assert ((reading.probabilities >= 0) & (reading.probabilities <= 1)).all()
        if not reading.axis.is_many:
            assert reading.probabilities.sum(axis=1) == pytest.approx(np.ones(3))


def test_no_prompts(learned):
    """Nothing in, nothing out."""
    readings = read_axes([], np.zeros((0, 3), dtype=np.float32), learned)
    assert all(reading.values == [] for reading in readings.values())
