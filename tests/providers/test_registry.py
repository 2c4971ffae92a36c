"""Which instance a name means, and lists that are fetched in the background."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from providers import snapshot
from providers.config import RegistryConfig, TransportConfig
from providers.instances import Instance, make_instance
from providers.registry import Registry
from providers.transport import Transport
from providers.vendors import VENDORS
from schemas.errors import ModelNotFound


class Lists:
    """A server with a list of models a path, which can fail."""

    def __init__(self) -> None:
        self.url = ""
        self.models: dict[str, list[str] | int] = {}  # or a status
        self.asked: list[str] = []
        self.wait = asyncio.Event()
        self.wait.set()

    def instance(self, vendor: str, name: str, *models: str) -> Instance:
        return make_instance(VENDORS[vendor], name, f"{self.url}/{name}", models=models)

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked.append(name)
        await self.wait.wait()
        found = self.models.get(name, 404)
        if isinstance(found, int):
            return web.json_response({"error": "no"}, status=found)
        return web.json_response({"data": [{"id": model, "created": 7} for model in found]})


@pytest.fixture
async def lists() -> AsyncIterator[Lists]:
    server = Lists()
    application = web.Application()
    application.router.add_get("/{name}/models", server.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport(TransportConfig())
    await made.open()
    yield made
    await made.close()


def registry(
    transport: Transport, *instances: Instance, folder: Path | None = None, **config: Any
) -> Registry:
    return Registry(instances, transport, RegistryConfig(**config), folder)


def resolved(of: Registry, name: str) -> tuple[str, str]:
    target = of.resolve(name)
    return target.instance, target.model


async def test_order_of_meanings(lists: Lists, transport: Transport) -> None:
    """First segment as instance, else as vendor, else the whole as a bare id."""
    lists.models = {
        "openai-east": ["gpt-4o", "only-east"],
        "openai-west": ["gpt-4o", "only-west"],
        "groq": ["openai/gpt-oss-120b", "meta/llama", "gpt-4o"],
    }
    made = registry(
        transport,
        lists.instance("openai", "openai-west"),
        lists.instance("openai", "openai-east"),
        lists.instance("groq", "groq"),
    )
    await made.refresh()
    for name, target in {
        "openai-west/gpt-4o": ("openai-west", "gpt-4o"),
        "openai-west/anything/at-all": ("openai-west", "anything/at-all"),
        "openai/gpt-4o": ("openai-east", "gpt-4o"),
        "openai/only-west": ("openai-west", "only-west"),
        "openai/unlisted": ("openai-east", "unlisted"),
        "groq/openai/gpt-oss-120b": ("groq", "openai/gpt-oss-120b"),
        "gpt-4o": ("groq", "gpt-4o"),
        "only-west": ("openai-west", "only-west"),
        "meta/llama": ("groq", "meta/llama"),
    }.items():
        assert resolved(made, name) == target
    for name in ("unlisted", "meta/unlisted", "xai/grok", "", "/", "openai/", "openai-west"):
        with pytest.raises(ModelNotFound):
            made.resolve(name)


async def test_vendor_prefix_without_such_an_instance(lists: Lists, transport: Transport) -> None:
    """A bare id that begins with a vendor's name is found when that vendor is not configured."""
    lists.models = {"groq": ["openai/gpt-oss-120b"]}
    made = registry(transport, lists.instance("groq", "groq"))
    await made.refresh()
    assert resolved(made, "openai/gpt-oss-120b") == ("groq", "openai/gpt-oss-120b")


async def test_the_only_instance(lists: Lists, transport: Transport) -> None:
    """The only instance gets every bare name while its list is unknown, and no longer than that."""
    alone = lists.instance("openai", "openai")
    made = registry(transport, alone)
    assert resolved(made, "whatever") == ("openai", "whatever")
    assert resolved(made, "a/b") == ("openai", "a/b")
    lists.models = {"openai": 500}
    await made.refresh()
    assert resolved(made, "whatever") == ("openai", "whatever")
    lists.models = {"openai": ["gpt-4o"]}
    await made.refresh()
    with pytest.raises(ModelNotFound, match="'whatever'"):
        made.resolve("whatever")
    two = registry(transport, alone, lists.instance("groq", "groq"))
    with pytest.raises(ModelNotFound):
        two.resolve("whatever")
    with pytest.raises(ModelNotFound):
        registry(transport).resolve("whatever")


async def test_prefix_of_a_vendors_own(lists: Lists, transport: Transport) -> None:
    """The simulated provider answers to every name that begins like its own, listed or not."""
    made = registry(
        transport, lists.instance("openai", "openai", "gpt-4o"), lists.instance("sim", "sim")
    )
    assert resolved(made, "sim-20-lorem-3") == ("sim", "sim-20-lorem-3")
    assert made.find("sim-20-lorem-3") is None


async def test_configured_models(lists: Lists, transport: Transport) -> None:
    """Configured models stand in for the list and are added to it; as an allow-list they are it."""
    lists.models = {"groq": ["b", "c"]}
    instance = lists.instance("groq", "groq", "a", "b")
    made = registry(transport, instance)
    assert [model.id for model in made.models()] == ["groq/a", "groq/b"]
    assert resolved(made, "a") == ("groq", "a")
    await made.refresh()
    assert [(m.id, m.created) for m in made.models()] == [
        ("groq/a", 0),
        ("groq/b", 7),
        ("groq/c", 7),
    ]
    lists.asked.clear()
    fixed = registry(transport, instance, configured_models="allowlist")
    await fixed.refresh()
    assert [model.id for model in fixed.models()] == ["groq/a", "groq/b"]
    assert lists.asked == []


async def test_who_fails_keeps_its_list(lists: Lists, transport: Transport) -> None:
    """A list that cannot be fetched stays as it was, whatever the reason; the others are renewed."""
    made = registry(
        transport,
        lists.instance("openai", "openai"),
        lists.instance("groq", "groq"),
        make_instance(VENDORS["xai"], "xai", "http://127.0.0.1:1"),
        fetch_timeout=0.3,
    )
    lists.models = {"openai": ["a"], "groq": ["b"]}
    await made.refresh()
    lists.models = {"openai": 500, "groq": ["c"]}
    await made.refresh()
    assert [model.id for model in made.models()] == ["groq/c", "openai/a"]
    lists.wait.clear()
    await made.refresh()
    lists.wait.set()
    assert [model.id for model in made.models()] == ["groq/c", "openai/a"]


async def test_look_ups_do_not_wait(lists: Lists, transport: Transport) -> None:
    """While a list is being fetched, names resolve by what is known."""
    lists.models = {"openai": ["a"]}
    made = registry(transport, lists.instance("openai", "openai"))
    await made.refresh()
    lists.wait.clear()
    lists.models = {"openai": ["b"]}
    async with asyncio.TaskGroup() as group:
        group.create_task(made.refresh())
        while len(lists.asked) < 2:  # noqa: ASYNC110 - the server's state
            await asyncio.sleep(0.01)
        assert resolved(made, "a") == ("openai", "a")
        lists.wait.set()
    assert resolved(made, "b") == ("openai", "b")


async def test_refreshed_for_ever(lists: Lists, transport: Transport) -> None:
    """Lists are fetched at once and again after each interval, failures or not."""
    lists.models = {"openai": 500}
    made = registry(transport, lists.instance("openai", "openai"), refresh_interval=0.01)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(made.refresh_forever())
        while len(lists.asked) < 3:  # noqa: ASYNC110 - the server's state
            await asyncio.sleep(0.01)
        lists.models = {"openai": ["a"]}
        while not made.models():  # noqa: ASYNC110 - the registry's state
            await asyncio.sleep(0.01)
        task.cancel()


async def test_kept_over_a_restart(lists: Lists, transport: Transport, tmp_path: Path) -> None:
    """A new registry knows the last lists before it has fetched any, but not those of another address."""
    lists.models = {"openai": ["a"], "groq": ["b"]}
    instances = [lists.instance("openai", "openai"), lists.instance("groq", "groq")]
    first = registry(transport, *instances, folder=tmp_path)
    await first.refresh()
    moved = make_instance(VENDORS["openai"], "openai", "http://127.0.0.1:1")
    second = registry(transport, moved, instances[1], folder=tmp_path)
    assert [model.id for model in second.models()] == ["groq/b"]
    assert resolved(second, "b") == ("groq", "b")
    third = registry(transport, *instances, folder=tmp_path)
    assert third.models() == first.models()
    assert third.find("a") == first.find("openai/a")


async def test_unwritable_folder(lists: Lists, transport: Transport, tmp_path: Path) -> None:
    """Lists that cannot be kept are used all the same."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    lists.models = {"openai": ["a"]}
    made = registry(transport, lists.instance("openai", "openai"), folder=blocked / "folder")
    await made.refresh()
    assert resolved(made, "a") == ("openai", "a")


async def test_unchanged_lists_are_not_written(
    lists: Lists, transport: Transport, tmp_path: Path
) -> None:
    """The snapshot is written when a list has changed, not at every refresh."""
    lists.models = {"openai": ["a"]}
    made = registry(transport, lists.instance("openai", "openai"), folder=tmp_path)
    await made.refresh()
    (tmp_path / snapshot.FILE_NAME).unlink()
    await made.refresh()
    assert not (tmp_path / snapshot.FILE_NAME).exists()
