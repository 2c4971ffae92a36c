"""Guardrails made ready: compiled once, then asked for each request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from schemas.guardrails import (
    Altering,
    BlockList,
    Config,
    Guardrail,
    JsonSchema,
    Moderation,
    OnError,
    Phase,
    Pii,
    Recognised,
    Regex,
    SystemPrompt,
    Webhook,
    config_of,
)
from streams.guardrails import checks
from streams.guardrails.checks import Look
from streams.guardrails.recognisers import BUILT_IN, Recogniser

Check = BlockList | Regex | JsonSchema | Moderation | Webhook
Steps = tuple[tuple["Rail", ...], ...]  # those of one step together, the lowest step first
_encode = msgspec.json.Encoder(order="deterministic").encode


class Rail(Struct, frozen=True):
    """One guardrail."""

    name: str
    type: str
    config: Config
    user_path: str = ""
    look: Look | None = None  # of a check that asks nobody
    recognisers: tuple[Recogniser, ...] = ()  # of personal data

    @property
    def changes(self) -> bool:
        """It changes the question; else it only looks."""
        return isinstance(self.config, SystemPrompt | Altering | Pii)

    @property
    def parallel(self) -> bool:
        """It may decide while the provider works."""
        return isinstance(self.config, Moderation | Webhook) and self.config.mode == "parallel"

    @property
    def on_error(self) -> OnError:
        config = self.config
        return "closed" if isinstance(config, SystemPrompt | Pii) else config.on_error

    def looks_at(self, phase: Phase) -> bool:
        """Whether it checks questions, or answers."""
        config = self.config
        return not isinstance(config, SystemPrompt | Altering | Pii) and phase in config.apply_to

    def covers(self, user_path: str) -> bool:
        """Whether it is meant for requests of that path."""
        own = self.user_path.rstrip("/")
        return not own or user_path == own or user_path.startswith(own + "/")


def rail(name: str, found: Guardrail) -> Rail:
    """InvalidRequest if it cannot be used."""
    config = config_of(found.type, found.config)
    look: Look | None = None
    recognisers: tuple[Recogniser, ...] = ()
    if isinstance(config, BlockList):
        look = checks.words(config)
    elif isinstance(config, Regex):
        look = checks.patterns(config)
    elif isinstance(config, JsonSchema):
        look = checks.schema(config)
    elif isinstance(config, Pii):
        recognisers = _recognisers(config.entities, config)
    return Rail(name, found.type, config, found.user_path, look, recognisers)


def _recognisers(entities: Iterable[Recognised], config: Pii) -> tuple[Recogniser, ...]:
    own = [Recogniser(each.name, re.compile(each.pattern)) for each in config.patterns]
    wanted = set(entities)
    return (*own, *(each for kind, each in BUILT_IN.items() if kind in wanted))


def in_steps(rails: Sequence[tuple[int, Rail]]) -> Steps:
    """By step."""
    steps: dict[int, list[Rail]] = {}
    for step, each in sorted(rails, key=lambda pair: pair[0]):
        steps.setdefault(step, []).append(each)
    return tuple(tuple(each) for each in steps.values())


def epoch(steps: Steps) -> str:
    """Of what they do: where it differs, an answer was made or judged by other rules. Empty for none."""
    if not steps:
        return ""
    said = [[(each.name, each.type, each.config) for each in step] for step in steps]
    return blake2b(_encode(said), digest_size=16).hexdigest()
