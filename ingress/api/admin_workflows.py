"""/admin/api/v1/workflows: which features and guardrails apply to whom. Names and shapes as GoModel has
them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ingress.admin import Asking, Said, answered
from ingress.caller import tidy_path
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.clock import rfc3339
from schemas.errors import InvalidRequest, NotFound
from schemas.guardrails import GUARDRAILS
from schemas.workflows import DEFAULT_ID, WORKFLOWS, Payload, Scope, Workflow, checked, id_of


class WorkflowFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a new version."""

    name: str
    workflow_payload: Payload
    description: str = ""
    scope_provider_name: str = ""
    scope_model: str = ""
    scope_user_path: str = ""


async def workflows(request: IncomingRequest) -> Answer:
    """GET: the active ones; `inactive=true`: every version. POST: a new one, which takes the place of its
    scope's last one."""
    if request.method == "POST":
        return await answered(request, _create)
    return await answered(request, _list, role="analyst")


async def names(request: IncomingRequest) -> Answer:
    """GET: the guardrails that a workflow may name."""
    return await answered(request, _names, role="analyst")


async def workflow(request: IncomingRequest, name: str) -> Answer:
    """GET: one version."""
    return await answered(request, _show, unquote(name), role="analyst")


async def deactivate_workflow(request: IncomingRequest, name: str) -> Answer:
    """POST: its scope follows the next wider one from now on."""
    return await answered(request, _deactivate, unquote(name))


# -- what they do


def _known(asking: Asking) -> list[Workflow]:
    return [found for _, found in asking.objects.objects.table(WORKFLOWS)]


def _guardrails(asking: Asking) -> list[str]:
    """Those that were set here, and those of the settings."""
    set_here = (name for name, _ in asking.objects.objects.table(GUARDRAILS))
    return sorted({*set_here, *asking.gateway.guardrails})


async def _list(asking: Asking) -> Said:
    every = asking.request.args.get("inactive") == "true"
    found = [each for each in _known(asking) if each.active or every]
    found.sort(key=lambda each: (each.scope.shown, -each.version))
    return Said([_view(each) for each in found])


async def _names(asking: Asking) -> Said:
    return Said(_guardrails(asking))


async def _show(asking: Asking, name: str) -> Said:
    return Said(_view(_found(asking, name)))


async def _create(asking: Asking) -> Said:
    said = await asking.body(WorkflowFields)
    if not said.name.strip():
        raise InvalidRequest("A workflow needs a `name`.", param="name")
    scope = _scope(said)
    checked(said.workflow_payload, _guardrails(asking))
    versions = [each for each in _known(asking) if each.scope == scope]
    number = max((each.version for each in versions), default=0) + 1
    made = Workflow(
        id=id_of(scope, number),
        scope=scope,
        version=number,
        payload=said.workflow_payload,
        name=said.name.strip(),
        description=said.description,
        created_at=rfc3339(asking.gateway.clock.time()),
    )
    # The highest version counts, so that between the two steps one is active at any time.
    await asking.objects.put(WORKFLOWS, made.id, made, expected=0)
    for each in versions:
        if each.active:
            await asking.objects.put(WORKFLOWS, each.id, replace(each, active=False))
    return Said(_view(made), 201)


def _scope(said: WorkflowFields) -> Scope:
    if said.scope_model and not said.scope_provider_name:
        raise InvalidRequest(
            "A model's scope needs its `scope_provider_name`.", param="scope_provider_name"
        )
    if not said.scope_user_path:
        return Scope(said.scope_provider_name, said.scope_model)
    path = tidy_path("scope_user_path", said.scope_user_path)
    return Scope(said.scope_provider_name, said.scope_model, path)


async def _deactivate(asking: Asking, name: str) -> Said:
    found = _found(asking, name)
    if found.active:
        await asking.objects.put(WORKFLOWS, found.id, replace(found, active=False))
    return Said(status=204)


def _found(asking: Asking, name: str) -> Workflow:
    found = asking.objects.objects.table(WORKFLOWS).entry(name).value
    if found is None:
        why = " It is what the settings say." if name == DEFAULT_ID else ""
        raise NotFound(f"There is no workflow `{name[:100]}`.{why}")
    return found


def _view(found: Workflow) -> dict[str, Any]:
    scope, payload = found.scope, found.payload
    return {
        "id": found.id,
        "scope": {
            "scope_provider_name": scope.provider_name or None,
            "scope_model": scope.model or None,
            "scope_user_path": scope.user_path or None,
        },
        "scope_type": scope.kind,
        "scope_display": scope.shown,
        "version": found.version,
        "active": found.active,
        "managed_default": False,
        "name": found.name,
        "description": found.description,
        "workflow_payload": msgspec.to_builtins(payload),
        "workflow_hash": payload.digest,
        "created_at": found.created_at,
        "effective_features": msgspec.to_builtins(payload.features),
    }
