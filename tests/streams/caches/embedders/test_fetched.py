"""Models that are fetched by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streams.caches.embedders.base import EmbedderError
from streams.caches.embedders.fetched import Fetched


def test_what_fetches_them_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fastembed is not installed, the error says how to mend it."""
    monkeypatch.setitem(sys.modules, "fastembed", None)
    with pytest.raises(EmbedderError, match="pip install fastembed"):
        Fetched("BAAI/bge-small-en-v1.5", tmp_path)
