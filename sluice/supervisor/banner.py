"""What `serve` prints when it is ready: where everything is, and a request that works."""

from __future__ import annotations

import asyncio
import json
import shlex
import urllib.request
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from sluice.settings import Settings, configs, gateway
from sluice.supervisor.plan import Plan

MODEL_ATTEMPTS = 20
MODEL_PAUSE = 0.25  # seconds
REQUEST_TIMEOUT = 2.0
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


async def show(plan: Plan, out: TextIO) -> None:
    """Print it; waits a moment for the first model's name."""
    configured = [
        f"{instance.name}/{model}" for instance in plan.providers for model in instance.models
    ]
    model = configured[0] if configured else await _first_model(plan.settings)
    out.write(text(plan, model, show_key=out.isatty()))
    out.flush()


def text(plan: Plan, model: str | None, *, show_key: bool) -> str:
    """The whole of it. The key itself stands there only where no log keeps it."""
    settings = plan.settings
    lines = [
        f"Sluice listens on http://{settings[gateway.HOST]}:{settings[gateway.PORT]}",
        "",
        f"  broker     {_broker(plan)}",
        f"  providers  {_providers(plan)}",
        f"  store      {_store(settings)}",
        f"  key        {_key(settings)}",
        "",
    ]
    if model is None:
        lines.append("No provider has told its models yet; put one for MODEL:")
    else:
        lines.append("Try it, plain and streamed:")
    for stream in (False, True):
        lines += ["", *_curl(settings, model or "MODEL", stream=stream, show_key=show_key)]
    return "\n" + "\n".join(lines) + "\n\n"


def _broker(plan: Plan) -> str:
    if plan.embedded:
        return f"embedded, {plan.bootstrap}, records in {plan.settings.data_dir / 'broker'}"
    return f"Kafka at {plan.bootstrap}"


def _providers(plan: Plan) -> str:
    if plan.simulated:
        return "simulated, since no provider's key is set (OPENAI_API_KEY and the like)"
    return ", ".join(instance.name for instance in plan.providers)


def _store(settings: Settings) -> str:
    sink = configs.sink_config(settings)
    if sink.storage_type == "mongodb":
        host = urlsplit(sink.mongodb_url or "").netloc.rpartition("@")[2]
        return f"MongoDB at {host}, {sink.mongodb_database}.exchanges"
    if sink.storage_type == "postgresql":
        parts = urlsplit(sink.postgres_url or "")
        return f"PostgreSQL at {parts.netloc.rpartition('@')[2]}{parts.path}, table exchanges"
    if sink.storage_type == "jsonl":
        return f"JSON lines, {Path(sink.jsonl_path)}"
    return f"SQLite, {Path(sink.sqlite_path)}, table exchanges"


def _key(settings: Settings) -> str:
    if settings[gateway.MASTER_KEY] is None:
        return "none: UNSAFE MODE, whoever reaches this address may call it; set GOMODEL_MASTER_KEY"
    return f"{_key_variable(settings)}, from {settings.origins[gateway.MASTER_KEY.name]}"


def _key_variable(settings: Settings) -> str:
    names = gateway.MASTER_KEY.names
    return next((name for name in names if name in settings.environment), names[0])


def _curl(settings: Settings, model: str, *, stream: bool, show_key: bool) -> list[str]:
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    if stream:
        body["stream"] = True
    lines = [
        f"  curl {'-N ' if stream else ''}{_base_url(settings)}/v1/chat/completions \\",
        "    -H 'Content-Type: application/json' \\",
    ]
    if key := settings[gateway.MASTER_KEY]:
        header = f"Authorization: Bearer {key}"
        named = f'"Authorization: Bearer ${_key_variable(settings)}"'
        lines.append(f"    -H {shlex.quote(header) if show_key else named} \\")
    return [*lines, f"    -d '{json.dumps(body)}'"]


def _base_url(settings: Settings) -> str:
    host = settings[gateway.HOST]
    host = WILDCARDS.get(host) or (f"[{host}]" if ":" in host else host)
    return f"http://{host}:{settings[gateway.PORT]}"


async def _first_model(settings: Settings) -> str | None:
    for _ in range(MODEL_ATTEMPTS):
        if model := await asyncio.to_thread(_ask, settings):
            return model
        await asyncio.sleep(MODEL_PAUSE)
    return None


def _ask(settings: Settings) -> str | None:
    request = urllib.request.Request(f"{_base_url(settings)}/v1/models")
    if key := settings[gateway.MASTER_KEY]:
        request.add_header("Authorization", f"Bearer {key}")
    # No proxy: it is this machine, whatever HTTP_PROXY says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=REQUEST_TIMEOUT) as response:
            models = json.load(response)["data"]
        return str(models[0]["id"]) if models else None
    except (OSError, ValueError, KeyError):
        return None
