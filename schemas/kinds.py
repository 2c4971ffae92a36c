"""Every kind of object on `llm.config`."""

from __future__ import annotations

from typing import Any

from schemas.objects import Kind

KINDS: tuple[Kind[Any], ...] = ()
