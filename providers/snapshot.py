"""The lists of models on disk, so that a restart knows them at once."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from providers.catalog import Listed
from schemas.prices import Metadata

FILE_NAME = "models.json"


class Kept(msgspec.Struct, frozen=True):
    """One instance's list; of no use once the instance asks somewhere else."""

    models_url: str
    models: tuple[Listed, ...]
    known: dict[str, Metadata] = {}  # what the price list says of them


_decode = msgspec.json.Decoder(dict[str, Kept]).decode
_encode = msgspec.json.Encoder().encode


def load(folder: Path) -> dict[str, Kept]:
    """Instance name to list; empty if there is no readable snapshot: it is a cache, never the truth."""
    try:
        return _decode((folder / FILE_NAME).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def save(folder: Path, lists: Mapping[str, Kept]) -> None:
    """Replaces the snapshot at once: another process reads the old one or the new one. May block."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_encode(dict(lists)))
        os.replace(name, folder / FILE_NAME)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def only(models: Sequence[str]) -> tuple[Listed, ...]:
    """A configured list."""
    return tuple(Listed(model) for model in models)
