"""Which instance a name means, and lists that are fetched in the background."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from providers import snapshot
from providers.config import RegistryConfig, TransportConfig
from providers.instances import Instance, instances, make_instance
from providers.registry import Registry
from providers.transport import Transport
from providers.vendors import VENDORS
from schemas.aliases import Alias, AliasTarget
from schemas.errors import InvalidRequest, ModelAccessDenied, ModelNotFound
from schemas.models import Model
from schemas.prices import Metadata, Pricing


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


def ids(of: Registry, user_path: str = "/") -> list[str]:
    return [model.id for model in of.models(user_path)]


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
    assert made.find("sim-20-lorem-3", "/") is None


async def test_configured_models(lists: Lists, transport: Transport) -> None:
    """Configured models stand in for the list and are added to it; as an allow-list they are it."""
    lists.models = {"groq": ["b", "c"]}
    instance = lists.instance("groq", "groq", "a", "b")
    made = registry(transport, instance)
    assert ids(made) == ["groq/a", "groq/b"]
    assert resolved(made, "a") == ("groq", "a")
    await made.refresh()
    assert [(m.id, m.created) for m in made.models("/")] == [
        ("groq/a", 0),
        ("groq/b", 7),
        ("groq/c", 7),
    ]
    lists.asked.clear()
    fixed = registry(transport, instance, configured_models="allowlist")
    await fixed.refresh()
    assert ids(fixed) == ["groq/a", "groq/b"]
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
    assert ids(made) == ["groq/c", "openai/a"]
    lists.wait.clear()
    await made.refresh()
    lists.wait.set()
    assert ids(made) == ["groq/c", "openai/a"]


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
        while not ids(made):  # noqa: ASYNC110 - the registry's state
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
    assert ids(second) == ["groq/b"]
    assert resolved(second, "b") == ("groq", "b")
    third = registry(transport, *instances, folder=tmp_path)
    assert third.models("/") == first.models("/")
    assert third.find("a", "/") == first.find("openai/a", "/")


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


async def test_a_list_that_failed_is_asked_for_sooner(lists: Lists, transport: Transport) -> None:
    """Who failed is asked again after a while, and nobody else with it."""
    lists.models = {"openai": 500, "groq": ["b"]}
    made = registry(
        transport,
        lists.instance("openai", "openai"),
        lists.instance("groq", "groq"),
        recheck_interval=0.01,
    )
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(made.refresh_forever())
        while len(lists.asked) < 5:  # noqa: ASYNC110 - the server's state
            await asyncio.sleep(0.01)
        lists.models["openai"] = ["a"]
        while "openai/a" not in ids(made):  # noqa: ASYNC110 - the registry's state
            await asyncio.sleep(0.01)
        task.cancel()
    assert lists.asked.count("groq") == 1


async def test_a_vendor_without_a_list_is_not_asked(lists: Lists, transport: Transport) -> None:
    """Its models are those that are configured, and any that is asked of it by name."""
    perplexity = make_instance(VENDORS["perplexity"], "p", f"{lists.url}/p", models=("sonar",))
    made = registry(transport, perplexity)
    await made.refresh()
    assert (lists.asked, ids(made)) == ([], ["p/sonar"])
    assert resolved(made, "p/sonar-pro") == ("p", "sonar-pro")


# -- aliases


def named(name: str, *targets: AliasTarget, **more: Any) -> Alias:
    return Alias(name=name, targets=targets, **more)


async def test_aliases(lists: Lists, transport: Transport) -> None:
    """An alias comes before everything, also before the model that it shadows; its targets keep their
    order and their weights; one that is not there, or is off, does not count."""
    made = registry(
        transport,
        lists.instance("openai", "openai", "gpt-4o", "gpt-5"),
        lists.instance("groq", "groq", "llama", "gpt-5"),
        aliases=(
            named("smart", AliasTarget("gpt-5", "openai", 3.0), AliasTarget("groq/llama")),
            named("gpt-4o", AliasTarget("gpt-5")),
            named("a/slash", AliasTarget("gpt-4o", "openai")),
            named("gone", AliasTarget("xai/grok"), AliasTarget("nothing")),
            named("llama", AliasTarget("gpt-4o"), enabled=False),
            named("partly", AliasTarget("nothing"), AliasTarget("openai/gpt-5")),
        ),
    )
    offers = made.candidates("smart", "/")
    assert [(one.target.instance, one.target.model, one.weight) for one in offers] == [
        ("openai", "gpt-5", 3.0),
        ("groq", "llama", 1.0),
    ]
    assert resolved(made, "gpt-4o") == ("groq", "gpt-5")
    assert resolved(made, "a/slash") == ("openai", "gpt-4o")
    assert resolved(made, "openai/gpt-4o") == ("openai", "gpt-4o")
    assert resolved(made, "llama") == ("groq", "llama")
    assert resolved(made, "partly") == ("openai", "gpt-5")
    with pytest.raises(ModelNotFound):
        made.resolve("gone")


async def test_aliases_are_listed(lists: Lists, transport: Transport) -> None:
    """Each under its own name, with what is known of its first target and its own description; or
    they alone."""
    aliases = (
        named("fast", AliasTarget("llama"), description="the quick one"),
        named("gone", AliasTarget("nothing")),
    )
    known = {"groq/llama": Metadata(context_window=8, description="a llama")}
    groq = lists.instance("groq", "groq", "llama")
    made = registry(transport, groq, aliases=aliases, metadata=known)
    quick = Metadata(context_window=8, description="the quick one")
    assert made.models("/") == (
        Model("fast", 0, "groq", metadata=quick),
        Model("groq/llama", 0, "groq", metadata=known["groq/llama"]),
    )
    assert made.find("fast", "/") == made.models("/")[0]
    assert made.find("gone", "/") is None
    alone = registry(transport, groq, aliases=aliases, only_aliases_listed=True)
    assert ids(alone) == ["fast"]
    assert resolved(alone, "groq/llama") == ("groq", "llama")


# -- allow-lists


async def test_allow_lists(lists: Lists, transport: Transport) -> None:
    """What may not be called from a user path is refused there, not listed and not found; an alias
    means those of its targets that may be called."""
    made = registry(
        transport,
        lists.instance("openai", "openai", "gpt-4o", "o3"),
        lists.instance("groq", "groq", "llama", "o3"),
        enabled_by_default=False,
        overrides={"openai/": ("/a",), "llama": ("/b",), "groq/o3": ("/b",)},
        aliases=(named("any", AliasTarget("openai/o3"), AliasTarget("groq/llama")),),
    )
    assert ids(made, "/a/x") == ["any", "openai/gpt-4o", "openai/o3"]
    assert ids(made, "/b") == ["any", "groq/llama", "groq/o3"]
    assert ids(made, "/c") == []
    for user_path, target in {"/a": ("openai", "o3"), "/b": ("groq", "llama")}.items():
        (offer,) = made.candidates("any", user_path)
        assert (offer.target.instance, offer.target.model) == target
    for name, user_path in (("openai/gpt-4o", "/b"), ("gpt-4o", "/b"), ("llama", "/a")):
        with pytest.raises(ModelAccessDenied) as caught:
            made.resolve(name, user_path)
        assert (caught.value.status, caught.value.code) == (400, "model_access_denied")
        assert made.find(name, user_path) is None
    assert made.allows("openai", "anything", "/a")
    assert not made.allows("openai", "anything", "/b")


async def test_a_bare_id_means_an_instance_that_may_be_called(
    lists: Lists, transport: Transport
) -> None:
    """Of several instances that have it, the first whose model is allowed there."""
    made = registry(
        transport,
        lists.instance("groq", "groq", "o3"),
        lists.instance("openai", "openai", "o3"),
        overrides={"groq/": ("/only",)},
    )
    assert made.resolve("o3", "/only").instance == "groq"
    assert made.resolve("o3", "/else").instance == "openai"


# -- instances, keys, prices


async def test_an_instance_by_name(lists: Lists, transport: Transport) -> None:
    """By its own name or its vendor's; an unknown one is refused with what there is."""
    made = registry(transport, lists.instance("openai", "east"), lists.instance("groq", "groq"))
    assert made.instance("openai").instance == made.instance("east").instance == "east"
    assert (made.vendor("east"), made.vendor("openai")) == ("openai", None)
    with pytest.raises(InvalidRequest, match="there are: east, groq"):
        made.instance("xai")


async def test_keys_take_turns(transport: Transport) -> None:
    """Each request has the next key; one that is limited is passed over until its time is up."""
    found = instances({"OPENAI_API_KEYS": "a,b", "GROQ_API_KEY": "g"})
    made = registry(transport, *found)

    def key() -> str:
        return made.resolve("openai/x").endpoint.headers["Authorization"][-1]

    assert [key() for _ in range(4)] == ["a", "b", "a", "b"]
    made.limit("openai", 0, float("inf"))
    assert [key() for _ in range(3)] == ["b", "b", "b"]
    assert (made.free_keys("openai"), made.free_keys("groq")) == (1, 1)


async def test_prices(lists: Lists, transport: Transport) -> None:
    """What a request of some size would cost, where rates are known."""
    rates = {"o3": Metadata(pricing=Pricing(input_per_mtok=2.0, output_per_mtok=8.0))}
    made = registry(transport, lists.instance("openai", "openai", "o3", "x"), metadata=rates)
    assert made.price("openai", "o3", 1000, 1000) == pytest.approx(0.01)
    assert made.price("openai", "x", 1, 1) is None
    assert made.price("openai", "unlisted", 1, 1) is None
