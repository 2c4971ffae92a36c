"""Managed keys: who may ask, for what, and until when. Of a key itself only its hash is known."""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal, get_args

from msgspec import Struct

from schemas.objects import Kind

Role = Literal["admin", "analyst", "client"]
ROLES: tuple[Role, ...] = get_args(Role)
PREFIX = "sk-sluice-"
PREFIXES = (PREFIX, "sk_gom_")  # the other one is GoModel's, whose hashes are made alike
_RANDOM_BYTES = 32
_SHOWN = 4  # characters at the end by which an owner recognises a key


class Former(Struct, frozen=True):
    """A value that was replaced and is taken a while longer."""

    secret_hash: str
    expires_at: str  # RFC 3339


class ManagedKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key as it stands on `llm.config`. Empty lists allow everything."""

    id: str
    name: str
    secret_hash: str  # SHA-256 of what follows the prefix, hexadecimal
    redacted_value: str
    created_at: str  # RFC 3339, as all times here
    updated_at: str
    description: str = ""
    role: Role = "client"
    user_path: str | None = None  # its requests are this path's, or of one below
    models: tuple[str, ...] = ()  # as asked for or `instance/model`; `*` stands for anything
    endpoints: tuple[str, ...] = ()  # paths; `*` stands for anything
    ips: tuple[str, ...] = ()  # networks
    metadata: dict[str, str] = {}
    log_bodies: bool = True  # the bodies of its requests and answers are stored
    on_disconnect: Literal["cancel", "finish", "background"] | None = None
    expires_at: str | None = None
    deactivated_at: str | None = None
    former: tuple[Former, ...] = ()


KEYS: Kind[ManagedKey] = Kind("keys", ManagedKey)


def new_secret() -> str:
    """A new key's value: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def secret_hash(value: str) -> str | None:
    """The hash under which a managed key is known; None if the value cannot be one.

    A plain hash is enough: nobody guesses 256 random bits, and it costs a microsecond a request.
    """
    for prefix in PREFIXES:
        if value.startswith(prefix):
            secret = value.removeprefix(prefix).encode(errors="surrogateescape")
            return hashlib.sha256(secret).hexdigest()
    return None


def redacted(value: str) -> str:
    """What may be shown of a value: its prefix and last characters."""
    prefix = next((each for each in PREFIXES if value.startswith(each)), "")
    return f"{prefix}...{value[-_SHOWN:]}"
