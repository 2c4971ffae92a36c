"""The routing of a worker, made from its settings."""

import asyncio
from pathlib import Path

import pytest

from providers.config import RegistryConfig, TransportConfig
from providers.registry import Registry
from providers.transport import Transport
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.metrics import Metrics
from schemas.replies import Completed, Failed, Reply, Started
from schemas.requests import Request
from sluice.process import CannotStart, Context
from sluice.routing import routed
from sluice.settings import configs, load
from streams.stages import Call, Replies


def context(folder: Path, config: str) -> Context:
    (folder / "config.yaml").write_text(config)
    settings = load({"SLUICE_SIM_URL": "http://127.0.0.1:1/v1"}, folder)
    return Context(settings, SystemClock(), Metrics(), asyncio.Event(), lambda address: None)


def registry(made: Context) -> Registry:
    transport = Transport(TransportConfig())
    return Registry(configs.instances(made.settings), transport, RegistryConfig())


async def test_a_rule_leads_to_its_model(tmp_path: Path) -> None:
    """From config.yaml to the target that is called."""
    made = context(tmp_path, "routing: {rules: [{name: any, use: sim/sim-5}]}")
    seen: list[str] = []

    async def handler(call: Call) -> Replies:
        assert call.target is not None
        seen.append(f"{call.target.instance}/{call.target.model} by {call.rule}")
        yield Started(200, "application/json", "sim", "sim-5")
        yield Completed()

    request = Request(request_id="r", body=b'{"model":"x","messages":[{}]}')
    call = Call(request, envelope(request))
    _, stage, *_ = routed(made, registry(made))
    replies: list[Reply] = [reply async for reply in stage(handler)(call)]

    assert seen == ["sim/sim-5 by any"]
    assert not any(isinstance(reply, Failed) for reply in replies)


async def test_a_rule_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """It is named with what is wrong."""
    made = context(tmp_path, "routing: {rules: [{name: mine, when: modell, use: sim/x}]}")

    with pytest.raises(CannotStart, match=r"routing.rules in config.yaml: mine: `when`"):
        routed(made, registry(made))
