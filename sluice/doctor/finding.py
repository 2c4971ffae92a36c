"""What a check says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

State = Literal["ok", "note", "wrong"]


class Finding(Struct, frozen=True, omit_defaults=True):
    """What one check found. `mend` says what to do, where something is to be done."""

    subject: str
    state: State
    detail: str
    mend: str = ""
