"""/admin/api/v1/guardrails: what is checked and changed in requests. Names and shapes as GoModel has them."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args, get_origin
from urllib.parse import unquote

from msgspec import NODEFAULT, Raw, Struct
from msgspec.structs import asdict, fields

from ingress.admin import Asking, Said, answered
from ingress.caller import tidy_path
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.clock import rfc3339
from schemas.errors import Conflict, InvalidRequest, NotFound
from schemas.guardrails import CONFIGS, GUARDRAILS, NAME, Guardrail, TypeName, config_of
from schemas.workflows import WORKFLOWS

_LABELS: dict[TypeName, str] = {
    "system_prompt": "System prompt",
    "llm_based_altering": "Rewriting by a model",
    "pii": "Personal data",
    "block_list": "Block list",
    "regex": "Regular expressions",
    "json_schema": "JSON schema",
    "moderation": "Moderation",
    "webhook": "Webhook",
}


class GuardrailFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a guardrail."""

    type: TypeName
    config: Raw
    description: str = ""
    user_path: str = ""


async def types(request: IncomingRequest) -> Answer:
    """GET: the types, each with its fields, for a form."""
    return await answered(request, _types, role="analyst")


async def guardrails(request: IncomingRequest) -> Answer:
    """GET: all that are set here."""
    return await answered(request, _list, role="analyst")


async def guardrail(request: IncomingRequest, name: str) -> Answer:
    """PUT: it is so from now on. DELETE: it is forgotten, unless an active workflow names it."""
    work = _delete if request.method == "DELETE" else _put
    return await answered(request, work, unquote(name))


# -- what they do


async def _types(asking: Asking) -> Said:
    return Said([_type(name) for name in _LABELS])


def _type(name: TypeName) -> dict[str, Any]:
    config = CONFIGS[name]
    known = fields(config)
    defaults = {each.name: each.default for each in known if each.default is not NODEFAULT}
    return {
        "type": name,
        "label": _LABELS[name],
        "description": (config.__doc__ or "").strip(),
        "defaults": defaults,
        "fields": [
            {
                "key": each.name,
                "label": each.name.replace("_", " "),
                "input": _input(each.type),
                "required": each.required,
                "options": [{"value": value, "label": value} for value in _options(each.type)],
            }
            for each in known
        ],
    }


def _input(type_: Any) -> str:
    """What a form shows for it: of several options one (`select`) or some (`choices`), texts (`list`)."""
    if _options(type_):
        return "choices" if get_origin(type_) is tuple else "select"
    if type_ == tuple[str, ...]:
        return "list"
    return {bool: "checkbox", int: "number", float: "number", str: "text"}.get(
        _without_none(type_), "json"
    )


def _options(type_: Any) -> tuple[str, ...]:
    if get_origin(type_) is tuple:
        type_ = get_args(type_)[0]
    found = get_args(type_)
    return found if found and all(isinstance(each, str) for each in found) else ()


def _without_none(type_: Any) -> Any:
    """`float` of `float | None`."""
    found = [each for each in get_args(type_) if each is not NoneType]
    return found[0] if len(found) == 1 else type_


async def _list(asking: Asking) -> Said:
    table = asking.objects.objects.table(GUARDRAILS)
    return Said([_view(name, found) for name, found in sorted(table)])


def _view(name: str, found: Guardrail) -> dict[str, Any]:
    config = config_of(found.type, found.config)
    shown = f"{_LABELS[found.type]}" + (f" for {found.user_path}" if found.user_path else "")
    return {"name": name, **asdict(found), "config": config, "summary": shown}


async def _put(asking: Asking, name: str) -> Said:
    if NAME.fullmatch(name) is None:
        raise InvalidRequest("A name has letters, digits, dots, dashes, underscores.", param="name")
    said = await asking.body(GuardrailFields)
    config_of(said.type, said.config)
    before = asking.objects.objects.table(GUARDRAILS).entry(name).value
    now = rfc3339(asking.gateway.clock.time())
    made = Guardrail(
        type=said.type,
        config=said.config,
        description=said.description,
        user_path=tidy_path("user_path", said.user_path) if said.user_path else "",
        created_at=now if before is None else before.created_at,
        updated_at=now,
    )
    entry = await asking.objects.put(GUARDRAILS, name, made, expected=asking.expected)
    return Said(_view(name, made), version=entry.version)


async def _delete(asking: Asking, name: str) -> Said:
    objects = asking.objects.objects
    if objects.table(GUARDRAILS).entry(name).value is None:
        raise NotFound(f"There is no guardrail `{name[:100]}` that was set here.")
    users = [
        each.name or each.id
        for _, each in objects.table(WORKFLOWS)
        if each.active and any(step.ref == name for step in each.payload.guardrails)
    ]
    if users:
        raise Conflict(f"The workflow `{users[0][:100]}` has this guardrail: change that first.")
    await asking.objects.delete(GUARDRAILS, name, expected=asking.expected)
    return Said(status=204)
