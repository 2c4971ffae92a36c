"""Vectors by a model on this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streams.caches.embedders.base import EmbedderError
from streams.caches.embedders.local import Local


@pytest.fixture(scope="module")
def embedder(shared_dir: Path) -> Local:
    return Local(shared_dir / "semantic" / "model")


async def test_what_means_the_same_is_near(embedder: Local) -> None:
    """Nearer than what does not; every vector has unit length."""
    one, other, third = [
        await embedder.embed(text)
        for text in ("How do I reset my password?", "I forgot my password", "What's the weather?")
    ]
    assert one is not None
    assert other is not None
    assert third is not None
    assert abs(float(np.linalg.norm(one)) - 1) < 1e-5
    assert one @ other > 0.6 > 0.3 > one @ third


@pytest.mark.parametrize(
    "text", ["\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\U0001f600", "word " * 300]
)
async def test_what_it_cannot_tell_apart_has_no_vector(embedder: Local, text: str) -> None:
    """Unknown words and texts that are cut off."""
    assert await embedder.embed(text) is None


async def test_forms_of_letters_are_read(embedder: Local) -> None:
    """Compatibility characters are letters."""
    plain, fancy = (
        await embedder.embed("cancel"),
        await embedder.embed("\U0001d4ec\U0001d4ea\U0001d4f7\U0001d4ec\U0001d4ee\U0001d4f5"),
    )
    assert plain is not None
    assert fancy is not None
    assert plain @ fancy > 0.999


async def test_its_identity_is_the_model(embedder: Local, shared_dir: Path) -> None:
    """The same folder has the same, whoever reads it."""
    again = Local(shared_dir / "semantic" / "model")
    assert again.identity == embedder.identity
    assert embedder.identity.startswith("local/")
    await again.close()


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    """At the start, not at the first question."""
    with pytest.raises(EmbedderError, match=r"model\.onnx"):
        Local(tmp_path)
