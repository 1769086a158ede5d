import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.encoders import DEFAULT_DIGEST, DEFAULT_ENCODER, load_encoder
from profiles.errors import EncoderError


def fake_folder(path, weights=b"weights", pooling=None):
    """Write a folder that looks like an encoder as far as its digest goes."""
    path.mkdir()
    (path / "model.safetensors").write_bytes(weights)
    if pooling is not None:
        (path / "1_Pooling").mkdir()
        (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return path


def test_an_id_names_folder_weights_and_pooling(tmp_path):
    """The folder's name, 12 digits of the SHA-256, the pooling that is on, `unit`, `ends`."""
    pooling = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False, "dim": 3}
    folder = fake_folder(tmp_path / "mine", pooling=pooling)
    found = load_encoder(str(folder)).encoder_id
    digest = hashlib.sha256(b"weights").hexdigest()[:12]
    assert found == f"mine:{digest}:mean_tokens:unit:ends"


def test_other_weights_are_another_encoder(tmp_path):
    """Two folders of one name with different weights never share vectors."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = load_encoder(str(fake_folder(tmp_path / "a" / "mine")))
    two = load_encoder(str(fake_folder(tmp_path / "b" / "mine", weights=b"other")))
    assert one.encoder_id != two.encoder_id


def test_a_missing_folder_is_refused(tmp_path):
    """The error says what was expected and how to make one."""
    with pytest.raises(EncoderError, match=r"No encoder at .*none'.*SentenceTransformer.save"):
        load_encoder(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match=r"model\.safetensors, found none"):
        load_encoder(str(tmp_path / "empty"))


def test_nothing_is_loaded_before_the_first_text(tmp_path):
    """A folder without a usable model can be named; only encoding needs it."""
    assert load_encoder(str(fake_folder(tmp_path / "mine"))).folder == tmp_path / "mine"


@pytest.fixture(scope="module")
def minilm():
    """The real encoder, from the weights in its package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield load_encoder()


@pytest.mark.model
def test_the_default_encoder_gives_unit_vectors(minilm):
    """384 dimensions, length 1, float32, also for an empty and a very long text."""
    found = minilm.encode(["Hello.", "", "word " * 30_000])
    assert found.shape == (3, 384)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


@pytest.mark.model
def test_the_same_text_has_the_same_vector(minilm):
    """Again, and among texts of other lengths up to rounding."""
    alone = minilm.encode(["Sort a list in Python."])[0]
    assert np.array_equal(minilm.encode(["Sort a list in Python."])[0], alone)
    among = minilm.encode(["Hi.", "Sort a list in Python.", "A much longer text. " * 40])[1]
    assert among == pytest.approx(alone, abs=1e-5)


@pytest.mark.model
def test_similar_texts_are_closer_than_unrelated_ones(minilm):
    """Two ways to ask for sorting are closer than sorting and soup."""
    one, two, far = minilm.encode(
        ["How do I sort a list in Python?", "Python: order the items of an array", "Leek soup"]
    )
    assert one @ two > 0.5 > one @ far


@pytest.mark.model
def test_the_default_encoder_is_named_by_its_weights(minilm):
    """The id carries the checked digest, and is the same for every load."""
    assert minilm.encoder_id == f"{DEFAULT_ENCODER}:{DEFAULT_DIGEST[:12]}:mean_tokens:unit:ends"
    assert load_encoder().encoder_id == minilm.encoder_id


@pytest.mark.model
def test_altered_weights_are_refused(minilm, tmp_path, monkeypatch):
    """One other byte in the default weights is an error that says how to reinstall."""
    copy = Path(shutil.copytree(minilm.folder, tmp_path / "copy"))
    weights = copy / "model.safetensors"
    altered = bytearray(weights.read_bytes())
    altered[len(altered) // 2] ^= 1
    weights.write_bytes(altered)
    monkeypatch.setattr("pipeline.encoders._default_folder", lambda: copy)
    with pytest.raises(EncoderError, match=f"expected {DEFAULT_DIGEST}.*--force-reinstall"):
        load_encoder()


FILLER = "The committee met on Monday and approved the minutes of the previous meeting. " * 60


@pytest.mark.model
def test_a_long_prompt_is_read_at_both_ends(minilm):
    """Its subject counts at the end as at the beginning; in the middle it is not seen."""
    question = "How do I sort a list in Python? " * 8
    subject, first, last, middle, none = minilm.encode(
        [question, question + FILLER, FILLER + question, FILLER + question + FILLER, FILLER]
    )
    assert subject @ last > subject @ none + 0.3
    assert subject @ first > subject @ none + 0.3
    assert subject @ middle < subject @ none + 0.1


@pytest.mark.model
def test_a_prompt_that_fits_is_read_as_it_is(minilm):
    """Its vector is the one that the model itself gives, up to the last word piece it can read."""
    fits, fits_not = "word " * 254, "word " * 254 + "soup"
    assert minilm._ends(fits) == fits
    assert minilm._ends("Sort a list.") == "Sort a list."
    assert minilm._ends(fits_not) != fits_not
    plain = minilm._model.encode([fits], normalize_embeddings=True, show_progress_bar=False)
    assert minilm.encode([fits]) == pytest.approx(plain, abs=1e-6)


@pytest.mark.model
@pytest.mark.parametrize("text", ["x" * 50_000, "\u4e2d" * 5_000, "\U0001f600" * 5_000, " " * 900])
def test_what_is_read_fits(minilm, text):
    """Without words, spaces or known characters too; the encoder cuts nothing more off."""
    read = minilm._ends(text)
    assert len(read) <= 20_001
    assert len(minilm._model.tokenizer(read, truncation=False)["input_ids"]) <= 256


@pytest.mark.model
def test_other_languages_are_weaker(minilm):
    """What README says: near in German and Spanish by shared words, far in Chinese."""
    english, german, chinese = minilm.encode(
        ["How do I cancel my hotel reservation?", "Wie storniere ich meine Hotelreservierung?",
         "\u6211\u5982\u4f55\u53d6\u6d88\u9152\u5e97\u9884\u8ba2\uff1f"]
    )  # fmt: skip
    assert english @ german < 0.8
    assert english @ chinese < 0.3


@pytest.mark.model
def test_a_vector_does_not_depend_on_the_texts_beside_it(minilm):
    """Bit for bit the same alone, in a pair and among many of other lengths."""
    texts = [f"{'word ' * (number % 7)}number {number}" for number in range(50)]
    found = minilm.encode(texts)
    assert np.array_equal(minilm.encode(texts[::-1])[::-1], found)
    assert np.array_equal(minilm.encode(texts[7:9]), found[7:9])
    assert np.array_equal(minilm.encode(texts[3:4]), found[3:4])
