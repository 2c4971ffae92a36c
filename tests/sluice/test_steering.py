"""What is in force of config.yaml and of the sets on `llm.config`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from schemas.aliases import ALIASES, Alias, AliasTarget
from schemas.errors import InvalidRequest
from schemas.objects import Objects, record
from schemas.routing_sets import ROUTING, RoutingSet
from sluice.settings import load
from sluice.steering import Steer, Steering, read
from streams.routing.rules import BadRule, Rules

FILE = """
routing:
  rules: [{name: file, use: sim/f}]
  fallbacks: {a: [file], b: [file]}
aliases: {x: sim/file, y: sim/file}
"""


def made(**tables: Any) -> RoutingSet:
    return RoutingSet(**{name: Raw(msgspec.json.encode(each)) for name, each in tables.items()})


class World:
    """A process in a folder, and the log that it reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write(FILE)
        self.now: Steer | None = None
        self.steering = Steering(load({}, folder), self._apply)
        self.objects = Objects((ROUTING, ALIASES))
        self.steering.follow(self.objects)
        self._version = 0

    def _apply(self, steer: Steer) -> None:
        Rules(steer.routes.rules)
        self.now = steer

    def write(self, text: str) -> None:
        (self.folder / "config.yaml").write_text(text)

    def put(self, name: str, found: RoutingSet | None) -> None:
        self._version += 1
        key, value, headers = record(ROUTING, name, found, self._version, self._version - 1)
        self.objects.take(key, value, dict(headers))

    def name(self, name: str, target: str | None, *, enabled: bool = True) -> None:
        """An alias as the admin API sets it; without a target it is gone."""
        self._version += 1
        targets = (AliasTarget(target or ""),)
        found = Alias(name=name, targets=targets, enabled=enabled) if target else None
        key, value, headers = record(ALIASES, name, found, self._version, self._version - 1)
        self.objects.take(key, value, dict(headers))

    @property
    def rules(self) -> list[str]:
        assert self.now is not None
        return [rule.name for rule in self.now.routes.rules]

    @property
    def aliases(self) -> dict[str, str]:
        assert self.now is not None
        return {alias.name: alias.targets[0].model for alias in self.now.aliases}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return World(tmp_path)


def test_sets_come_before_the_file(world: World) -> None:
    """In the order of their names; of equal fallbacks and aliases the first counts. Without them the
    file is in force again."""
    world.put(
        "b", made(rules=[{"name": "b", "use": "sim/b"}], aliases={"x": "sim/b", "z": "sim/b"})
    )
    world.put("a", made(rules=[{"name": "a", "use": "sim/a"}], fallbacks={"a": ["set"]}))
    assert world.rules == ["a", "b", "file"]
    assert world.aliases == {"x": "sim/b", "y": "sim/file", "z": "sim/b"}
    assert world.now is not None
    assert world.now.routes.fallbacks == {"a": ("set",), "b": ("file",)}
    world.put("a", None)
    world.put("b", None)

    assert (world.rules, world.aliases) == (["file"], {"x": "sim/file", "y": "sim/file"})


WRONG: dict[str, Callable[[], RoutingSet]] = {
    "condition": lambda: made(rules=[{"use": "m", "when": "modell"}]),
    "number": lambda: made(rules=[{"use": "m", "when": "1"}]),
    "field": lambda: made(rules=[{"use": "m", "wenn": "true"}]),
    "nobody": lambda: made(rules=[{"use": []}]),
    "twice": lambda: made(rules=[{"name": "a", "use": "m"}, {"name": "a", "use": "m"}]),
    "table": lambda: made(rules={"a": "m"}),
    "fallbacks": lambda: made(fallbacks={"a": 1}),
    "alias": lambda: made(aliases={"a": {}}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_refused(world: World, wrong: str) -> None:
    """By whoever takes it in; in the log, as from a later version, it is passed over."""
    world.put("a", made(rules=[{"name": "a", "use": "sim/a"}]))
    with pytest.raises(InvalidRequest, match=r"routing set mine|`when`"):
        read("mine", WRONG[wrong]())
    world.put("a", WRONG[wrong]())

    assert world.rules == ["a", "file"]


def test_the_file_is_read_again(world: World) -> None:
    """The sets stay before it; a file that is wrong is refused, and the former one stays."""
    world.put("a", made(rules=[{"name": "a", "use": "sim/a"}]))
    world.write("routing: {rules: [{name: new, use: sim/n}]}\naliases: {n: sim/new}\n")
    world.steering.reread()
    assert (world.rules, world.aliases) == (["a", "new"], {"n": "sim/new"})
    for text in (
        "routing: {rules: [{name: other, wenn: 'true'}]}",
        "routing: {rules: [{name: other, use: m, when: modell}]}",
        "routing: [",
        "nonsense: 1",
    ):
        world.write(text)
        world.steering.reread()
        assert world.rules == ["a", "new"]
    world.put("a", None)

    assert world.rules == ["new"]


def test_rules_that_cannot_be_used_change_nothing(world: World) -> None:
    """Whoever applies them may still say no."""

    def refuse(steer: Steer) -> None:
        raise BadRule("a: no")

    steering = Steering(load({}, world.folder), refuse)
    steering.follow(world.objects)
    world.put("a", made(rules=[{"name": "a", "use": "sim/a"}]))

    assert steering._sources.sets == {}


def test_single_aliases_come_before_sets_and_the_file(world: World) -> None:
    """Each name has one source, and is told with it; without it the next one counts again."""
    world.put("a", made(aliases={"x": "sim/set", "y": "sim/set"}))
    world.name("x", "sim/own")
    world.name("team/new", "sim/own", enabled=False)

    assert world.aliases == {"x": "sim/own", "y": "sim/set", "team/new": "sim/own"}
    told = {each.alias.name: (each.source, each.alias.enabled) for each in world.steering.aliases()}
    assert told == {
        "team/new": ("admin", False),
        "x": ("admin", True),
        "y": ("routing/a", True),
    }
    world.name("x", None)
    world.put("a", None)
    assert world.aliases == {"x": "sim/file", "y": "sim/file", "team/new": "sim/own"}
