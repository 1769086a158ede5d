import numpy as np
import pytest

from pipeline.label import label_clusters, name_groups_of

TEXTS = ["sort a python list", "python list bug", "bake a cake", "cake recipe", "bake my cake"]
IDS = np.array([0, 0, 1, 1, 1])
VECTORS = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, 1], [0.6, 0.8]], dtype=np.float32)


def test_names_are_words_that_set_clusters_apart():
    """Each cluster is named by words of its own."""
    code, cake = label_clusters(TEXTS, VECTORS, IDS)
    assert "python list" in code.name
    assert "cake" in cake.name
    assert not set(code.name.split()) & set(cake.name.split()) - {"·"}


def test_members_are_ordered_by_closeness():
    """The medoid is the most central member, the border the least; cohesion is a mean cosine."""
    _, cake = label_clusters(TEXTS, VECTORS, IDS, n_shown=2)
    assert cake.medoid == cake.exemplars[0] == 2
    assert cake.exemplars == (2, 3)
    assert cake.border == (4, 3)
    prototype = np.array([0.6, 2.8]) / np.hypot(0.6, 2.8)
    assert cake.cohesion == pytest.approx(np.mean(VECTORS[2:] @ prototype))


def test_a_template_names_nothing():
    """Words that every cluster holds are in no name."""
    texts = [f"please help me: {text}" for text in TEXTS]
    assert all("please" not in label.name for label in label_clusters(texts, VECTORS, IDS))


def test_one_long_prompt_does_not_name_its_cluster():
    """A word counts once for each prompt, however often it is said."""
    texts = ["zebra " * 50 + "cake", "cake tin zebra", "cake tin", "cake tin", "cake tin"]
    (label,) = label_clusters(texts, VECTORS, np.zeros(5, dtype=np.int64))
    assert label.phrases[0] in {"cake tin", "cake"}


def test_noise_is_no_cluster():
    """Prompts in no cluster give no label and no words."""
    texts = [*TEXTS, "galaxy telescope", "galaxy telescope"]
    vectors = np.concatenate([VECTORS, VECTORS[:2]])
    labels = label_clusters(texts, vectors, np.array([*IDS, -1, -1]))
    assert len(labels) == 2
    assert all("galaxy" not in phrase for label in labels for phrase in label.phrases)


@pytest.mark.parametrize("texts", [TEXTS, ["one", "two", "three", "four", "five"]])
def test_all_noise_has_no_labels(texts):
    """Without a cluster there is nothing to name."""
    assert label_clusters(texts, VECTORS, np.full(5, -1)) == ()


def test_no_prompts_have_no_labels():
    """An empty run is a valid one."""
    assert label_clusters([], np.zeros((0, 2), np.float32), np.zeros(0, np.int64)) == ()


def test_nothing_in_common_is_a_quote():
    """A cluster without a word said twice is called after its medoid."""
    texts = ["one", "two", "three", "four", "five"]
    (label,) = label_clusters(texts, VECTORS, np.zeros(5, dtype=np.int64))
    assert (label.name, label.phrases) == ("like “five”", ())
    assert len(label.exemplars) == 5


def test_a_cluster_of_one():
    """A single member is medoid, exemplar and border at once."""
    (label,) = label_clusters(["cake"], VECTORS[:1], np.array([0]))
    assert (label.medoid, label.exemplars, label.border) == (0, (0,), (0,))
    assert label.cohesion == pytest.approx(1.0)


def test_other_scripts_have_names():
    """Words of any alphabet are words."""
    texts = ["φόρος στο σπίτι", "φόρος στη γη", "σούπα με ρύζι", "σούπα με ψάρι"]
    first, second = label_clusters(texts, VECTORS[:4], np.array([0, 0, 1, 1]))
    assert "φόρος" in first.name
    assert "σούπα" in second.name


def test_a_name_that_fits_few_is_a_quote():
    """One phrase in a fifteenth of the prompts does not tell what the others ask."""
    texts = ["why is\nthe sky blue"] + [f"ask{n} about{n}" for n in range(27)] + ["red kite"] * 2
    vectors = np.tile(np.array([0.6, 0.8], dtype=np.float32), (30, 1))
    ids = np.zeros(30, dtype=np.int64)
    (label,) = label_clusters(texts, vectors, ids)
    assert (label.name, label.phrases) == ("like “why is the sky blue”", ("red kite",))


def test_a_phrase_that_adds_little_is_not_in_the_name():
    """Where all texts hold the first phrases, one in a fifth of them tells nothing."""
    texts = [f"sort the words alphabetically {word}" for word in ("seashore", *"abcd")]
    texts[1] += " seashore"
    others = ["bake a cake", "cake tin"]
    ids = np.array([0] * 5 + [1] * 2)
    label, _ = label_clusters([*texts, *others], np.eye(7, 8, dtype=np.float32), ids)
    assert "seashore" in label.phrases
    assert "seashore" not in label.name


def test_meaning_decides_between_words():
    """With an encoder, the phrase nearest to what sets the cluster apart comes first."""
    texts = ["burgundy chairs", "burgundy chairs", "bake a cake", "bake a cake"]
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)

    def encode(phrases):
        return np.array([[1, 0] if p == "chairs" else [0.6, 0.8] for p in phrases], "f4")

    first, _ = label_clusters(texts, vectors, np.array([0, 0, 1, 1]), encode=encode)
    assert first.phrases[0] == "chairs"


def test_groups_are_named_by_what_is_in_them():
    """What clusters share names them; one of one cluster has its name; others are listed."""
    texts = ["credit card limit", "credit card fee", "cake tin", "zebra", "lemon", "onyx", "agate"]
    texts = [f"{text} {end}" for text in texts for end in ("here", "there")]
    ids = np.repeat(np.arange(7), 2)
    vectors = np.repeat(np.eye(7, 8, dtype=np.float32), 2, axis=0)
    labels = label_clusters(texts, vectors, ids)
    level = np.array([0, 0, 1, 2, 2, 2, 2])
    [(cards, cake, others)] = name_groups_of(texts, vectors, ids, labels, [level])
    assert cards == "credit card"
    assert cake == labels[2].name
    assert others == "zebra, lemon, onyx and 1 more"
