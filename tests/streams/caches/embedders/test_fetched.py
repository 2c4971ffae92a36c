"""Models that are fetched by name. There is no network here: fastembed finds what it fetched before."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from streams.caches.embedders.base import EmbedderError
from streams.caches.embedders.fetched import Fetched
from streams.caches.embedders.local import Local

NAME = "BAAI/bge-small-en-v1.5"
# As the hub's client lays it down. The model is ours, which makes vectors of the same length.
CACHED = "models--Qdrant--bge-small-en-v1.5-onnx-Q"
FILES = {
    "config.json": '{"pad_token_id": 0}',
    "tokenizer_config.json": '{"model_max_length": 256, "pad_token": "[PAD]"}',
    "special_tokens_map.json": "{}",
}


def fetched_before(folder: Path, model: Path) -> None:
    """What fastembed leaves in a folder."""
    snapshot = folder / CACHED / "snapshots" / "a1"
    snapshot.mkdir(parents=True)
    (folder / CACHED / "refs").mkdir()
    (folder / CACHED / "refs" / "main").write_text("a1")
    shutil.copy(model / "model.onnx", snapshot / "model_optimized.onnx")
    shutil.copy(model / "tokenizer.json", snapshot)
    for name, text in FILES.items():
        (snapshot / name).write_text(text)


async def test_what_was_fetched_is_used_without_a_network(tmp_path: Path, shared_dir: Path) -> None:
    """A name whose model is in the folder needs nobody, and makes the vectors of that model."""
    model = shared_dir / "semantic" / "model"
    fetched_before(tmp_path, model)
    fetched, local = Fetched(NAME, tmp_path), Local(model)
    try:
        for text in ("How do I reset my password?", "What is the weather?"):
            one, other = await fetched.embed(text), await local.embed(text)
            assert one is not None
            assert other is not None
            assert float(one @ other) == pytest.approx(1.0, abs=1e-4)
        assert await fetched.embed("long " * 300) is None
        assert fetched.identity != local.identity
    finally:
        await fetched.close()
        await local.close()


def test_what_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that fastembed does not know, and one that it cannot fetch: the error has the name, the
    reason, and what to do without a network."""
    with pytest.raises(EmbedderError, match=r"no/such-model: .*not supported"):
        Fetched("no/such-model", tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # not to try three times, half a minute in all
    with pytest.raises(EmbedderError, match=rf"{NAME}: .*{tmp_path} along"):
        Fetched(NAME, tmp_path)


def test_what_fetches_them_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fastembed is not installed, the error says how to mend it."""
    monkeypatch.setitem(sys.modules, "fastembed", None)
    with pytest.raises(EmbedderError, match="pip install fastembed"):
        Fetched(NAME, tmp_path)
