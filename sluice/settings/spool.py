"""The rows for bodies that are too large for the log, and what they mean together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingress.config import IngressConfig
from schemas.claims import RECORD_BYTES
from sluice.settings import gateway, kafka
from sluice.settings.kinds import PATH, duration, optional, show_size
from sluice.settings.setting import Group, Setting

if TYPE_CHECKING:
    from sluice.settings.loading import Settings

_INGRESS = IngressConfig()
_FOLDER = "spool"  # in the data folder

SPOOL_DIR = Setting[str | None](
    name="SPOOL_DIR",
    kind=optional(PATH),
    default=None,
    summary="A folder that all roles share, on each machine: there stand request bodies of more than "
    "15M, which is what a record of the log carries, until their outcome is recorded.",
    unset="`spool` in `SLUICE_DATA_DIR` with the embedded broker; else such bodies are answered by 413",
)
SPOOL_RETENTION = Setting(
    name="SPOOL_RETENTION",
    kind=duration(3600, 365 * 86_400),
    default=_INGRESS.spool_retention,
    summary="Age at which a file in `SPOOL_DIR` is removed that no outcome has removed. Do not make it "
    "less than the log keeps requests.",
)
GROUP = Group("Large bodies", (SPOOL_DIR, SPOOL_RETENTION))


def folder(settings: Settings) -> Path | None:
    """Where large bodies stand; None if they are refused."""
    if given := settings[SPOOL_DIR]:
        return Path(given)
    embedded = settings[kafka.BOOTSTRAP_SERVERS] is None
    return settings.data_dir / _FOLDER if embedded else None


def contradictions(settings: Settings) -> Iterator[str]:
    """What is right by itself and wrong together."""
    limit = settings[gateway.BODY_SIZE_LIMIT]
    if limit > RECORD_BYTES and folder(settings) is None:
        yield (
            f"{gateway.BODY_SIZE_LIMIT.name} is {show_size(limit)}, but a record of the log carries "
            f"{show_size(RECORD_BYTES)}: set {SPOOL_DIR.name} to a folder that all roles share"
        )
