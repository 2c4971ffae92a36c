"""Lists with what is known of their models, over a restart."""

from pathlib import Path

import pytest

from providers import knowledge, lists
from providers.catalog import Listed
from providers.config import RegistryConfig, TransportConfig
from providers.instances import Instance, make_instance
from providers.lists import Lists
from providers.transport import Transport
from providers.vendors import VENDORS
from schemas.clock import SystemClock
from schemas.prices import Metadata

OPENAI = make_instance(VENDORS["openai"], "openai", "https://127.0.0.1:1/v1", models=("o3",))


def made(folder: Path | None, instance: Instance = OPENAI) -> Lists:
    transport = Transport(TransportConfig())
    return Lists({instance.name: instance}, transport, RegistryConfig(), folder, SystemClock())


async def test_what_is_known_is_learnt_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a refresh the models have what the price list says, after a restart at once, and a price
    list that cannot be asked takes nothing away."""
    told: list[knowledge.Known | None] = [{"openai": {"o3": Metadata(context_window=5)}}, None]

    async def known_of(*_: object) -> knowledge.Known | None:
        return told.pop(0)

    async def fetched(self: Lists, instance: Instance) -> list[Listed]:
        return [Listed("o3", 7)]

    monkeypatch.setattr(lists, "known_of", known_of)
    monkeypatch.setattr(Lists, "_fetch", fetched)
    first = made(tmp_path)
    assert not first.catalog.models[0].metadata
    assert await first.refresh(["openai"]) == []
    second = made(tmp_path)
    for each in (first, second):
        (model,) = each.catalog.models
        assert (model.created, model.metadata) == (7, Metadata(context_window=5))
    assert await second.refresh(["openai"]) == []
    assert second.catalog.models == first.catalog.models


async def test_who_cannot_be_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh names those whose list it did not get."""

    async def failed(self: Lists, instance: Instance) -> None:
        return None

    async def nothing(*_: object) -> knowledge.Known:
        return {}

    monkeypatch.setattr(Lists, "_fetch", failed)
    monkeypatch.setattr(lists, "known_of", nothing)
    found = made(None)
    assert found.is_known(OPENAI)
    assert await found.refresh(["openai"]) == ["openai"]
