"""Workflows: which features and guardrails apply to whom. Versions never change; of a scope one is active."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from schemas.errors import InvalidRequest
from schemas.objects import Kind

DEFAULT_ID = "default-global"
_encode = msgspec.json.Encoder(order="deterministic").encode


class Features(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done for a request."""

    cache: bool = True
    audit: bool = True  # its bodies and headers are stored
    usage: bool = True
    budget: bool = True
    guardrails: bool = True
    fallback: bool = True

    def within(self, other: Features) -> Features:
        """What both allow; a budget needs usage."""
        found = {
            name: getattr(self, name) and getattr(other, name) for name in self.__struct_fields__
        }
        found["budget"] = found["budget"] and found["usage"]
        return Features(**found)


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """A guardrail, and when it has its turn: the lowest first, equal ones together."""

    ref: str
    step: int = 0


class Payload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a version says."""

    schema_version: int = 1
    features: Features = Features()
    guardrails: tuple[Step, ...] = ()

    @property
    def digest(self) -> str:
        """Of what it says: equal ones say the same."""
        return hashlib.sha256(_encode(self)).hexdigest()


class Scope(Struct, frozen=True):
    """To what it applies; empty: to everything."""

    provider_name: str = ""
    model: str = ""
    user_path: str = ""

    @property
    def key(self) -> str:
        return msgspec.json.encode([self.provider_name, self.model, self.user_path]).decode()

    @property
    def kind(self) -> str:
        """As GoModel names it: `provider_model_path`, `global`."""
        parts = [
            *(["provider"] if self.provider_name else []),
            *(["model"] if self.model else []),
            *(["path"] if self.user_path else []),
        ]
        return "_".join(parts) or "global"

    @property
    def shown(self) -> str:
        named = "/".join(each for each in (self.provider_name, self.model) if each)
        return " @ ".join(each for each in (named, self.user_path) if each) or "global"


class Workflow(Struct, frozen=True, kw_only=True):
    """One version."""

    id: str
    scope: Scope
    version: int
    payload: Payload
    active: bool = True
    name: str = ""
    description: str = ""
    created_at: str = ""  # RFC 3339


WORKFLOWS: Kind[Workflow] = Kind("workflows", Workflow)


def id_of(scope: Scope, version: int) -> str:
    """Two that are made at the same time cannot be the same version of a scope."""
    seed = f"{scope.key}/{version}".encode()
    return f"wf_{hashlib.blake2b(seed, digest_size=12).hexdigest()}"


def default(features: Features, guardrails: Iterable[Step]) -> Workflow:
    """The one that applies where no other does."""
    payload = Payload(features=features, guardrails=tuple(guardrails))
    name = "The settings"
    return Workflow(id=DEFAULT_ID, scope=Scope(), version=0, payload=payload, name=name)


def checked(payload: Payload, known: Iterable[str]) -> None:
    """InvalidRequest if it cannot be followed. `known`: names of guardrails."""
    if payload.schema_version != 1:
        raise InvalidRequest("`schema_version` must be 1.", param="workflow_payload")
    if payload.features.budget and not payload.features.usage:
        raise InvalidRequest("The feature `budget` needs `usage`.", param="workflow_payload")
    names = set(known)
    for step in payload.guardrails:
        if step.ref not in names:
            raise InvalidRequest(
                f"There is no guardrail `{step.ref[:100]}`.", param="workflow_payload"
            )


class Chosen:
    """The active versions by scope."""

    def __init__(self, workflows: Iterable[Workflow], fallback: Workflow) -> None:
        """`fallback` applies where no other does."""
        found: dict[Scope, Workflow] = {}
        for each in workflows:
            known = found.get(each.scope)
            if each.active and (known is None or each.version > known.version):
                found[each.scope] = each
        self.by_scope: Mapping[Scope, Workflow] = found
        self.fallback = fallback
        self.names_models = any(scope.provider_name for scope in found)

    def of(self, provider: str, model: str, user_path: str) -> Workflow:
        """The most specific one."""
        for scope in _scopes(provider, model, user_path):
            if (found := self.by_scope.get(scope)) is not None:
                return found
        return self.by_scope.get(Scope(), self.fallback)


def _scopes(provider: str, model: str, user_path: str) -> Iterator[Scope]:
    """From the deepest path to the root; of one path provider and model before provider before none."""
    path = user_path.rstrip("/")
    while True:
        if path or user_path == "/":
            yield Scope(provider, model, path or "/")
            yield Scope(provider, "", path or "/")
            yield Scope("", "", path or "/")
        if not path:
            break
        path = path.rpartition("/")[0]
    if provider:
        yield Scope(provider, model)
        yield Scope(provider)
