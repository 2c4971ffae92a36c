"""Vectors by an ONNX model in this process (`sluice[local-embeddings]`)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from streams.caches.embedders.base import Embedder, EmbedderError
from streams.caches.semantic.lexicon import normalised
from streams.caches.vectors.base import Vector

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
LONGEST = 512  # pieces, where the tokenizer does not cut earlier
_UNKNOWN = ("[UNK]", "<unk>")


class Local(Embedder):
    """A folder with `model.onnx` and `tokenizer.json`, as exporters of sentence embedders write it.

    One text a call and one thread: in a quantised model a text's vector depends on its company.
    """

    def __init__(self, folder: Path) -> None:
        """Reads the model, which takes a second or so: call it before there is anybody to serve."""
        try:
            from onnxruntime import InferenceSession, SessionOptions
            from tokenizers import Tokenizer
        except ImportError as error:
            raise EmbedderError("local: pip install 'sluice[local-embeddings]'") from error
        for name in (MODEL, TOKENIZER):
            if not (folder / name).is_file():
                raise EmbedderError(f"local: there is no {name} in {folder}")
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._unknown = {self._tokenizer.token_to_id(piece) for piece in _UNKNOWN} - {None}
        self._session: InferenceSession = InferenceSession(
            str(folder / MODEL), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {each.name for each in self._session.get_inputs()}
        digest = sha256((folder / MODEL).read_bytes() + (folder / TOKENIZER).read_bytes())
        self._identity = f"local/{digest.hexdigest()[:16]}"
        self._thread = ThreadPoolExecutor(1, "embedder")

    @property
    @override
    def identity(self) -> str:
        return self._identity

    @override
    async def embed(self, text: str) -> Vector | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.vector, text)

    def vector(self, text: str) -> Vector | None:
        """The same, where the caller may be blocked."""
        encoded = self._tokenizer.encode(normalised(text))
        ids = encoded.ids
        # Words that it does not know are all the same to it, and what is cut off is nothing.
        if encoded.overflowing or len(ids) > LONGEST or self._unknown & set(ids):
            return None
        row = np.array([ids], np.int64)
        given = {
            "input_ids": row,
            "attention_mask": np.ones_like(row),
            "token_type_ids": np.zeros_like(row),
        }
        (found, *_) = self._session.run(
            None, {name: value for name, value in given.items() if name in self._inputs}
        )
        return _unit(np.asarray(found, np.float32)[0])

    @override
    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _unit(found: NDArray[np.float32]) -> Vector:
    """Models give the sentence's vector, or one a piece, of which the mean is taken."""
    vector = found if found.ndim == 1 else found.mean(axis=0)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
