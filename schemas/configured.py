"""What a process is configured with, as operators are shown it: names, values and where they stand."""

from __future__ import annotations

from msgspec import Struct


class SettingShown(Struct, frozen=True):
    """One setting. The value of a secret is `(secret)`."""

    name: str
    group: str  # its chapter in docs/settings.md
    value: str  # as it would be written; empty: none
    origin: str  # "environment", ".env line 3", "config.yaml key kafka.sasl.username", "default"
    summary: str


class ProviderShown(Struct, frozen=True):
    """One instance of a provider, without its keys."""

    name: str
    type: str  # its vendor
    base_url: str
    keys: int  # how many take turns
    models: int  # that are named; 0: the provider is asked
    dialects: tuple[str, ...]


class Configuration(Struct, frozen=True):
    """Everything that one process was started with."""

    version: str
    settings: tuple[SettingShown, ...]
    providers: tuple[ProviderShown, ...]
    notes: tuple[str, ...]  # what is set and has no effect
