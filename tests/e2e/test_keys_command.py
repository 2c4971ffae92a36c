"""`sluice keys` against a running gateway: what is changed there is in force at the ingresses."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from sluice.cli import main
from tests.gateway import Gateway
from tests.stack import until


async def test_from_create_to_deactivate(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is made, used, rotated and refused; by its id or name, with its value told once."""
    monkeypatch.chdir(gateway.stack.folder)

    async def typed(*arguments: str) -> Result:
        # It runs a loop of its own.
        return await asyncio.to_thread(
            CliRunner().invoke, main, ["keys", *arguments], env=gateway.stack.env
        )

    async def told(*arguments: str) -> Any:
        done = await typed(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    async def becomes(value: str, status: int) -> None:
        async with httpx.AsyncClient(base_url=gateway.second, timeout=60) as client:

            async def so() -> bool:
                headers = {"authorization": f"Bearer {value}"}
                return (await client.get("/v1/models", headers=headers)).status_code == status

            await until(so)

    made = await told("create", "by-command", "--user-path", "team//x/", "--model", "sim/*")
    assert (made["role"], made["user_path"], made["models"]) == ("client", "/team/x", ["sim/*"])
    await becomes(made["value"], 200)

    rotated = await told("rotate", "by-command", "--overlap", "0s")
    assert rotated["id"] == made["id"]
    await becomes(rotated["value"], 200)
    await becomes(made["value"], 401)

    listed = await typed("list")
    assert rotated["value"][-4:] in listed.output
    assert rotated["value"] not in listed.output
    assert (await told("deactivate", made["id"]))["active"] is False
    await becomes(rotated["value"], 401)

    for arguments, reason in (
        (("rotate", "by-command"), "was deactivated"),
        (("deactivate", "nobody"), "no key with the id or name"),
        (("create", " "), "`name` must not be empty"),
        (("create", "x", "--expires", "soon"), "`expires_at` must be a time"),
    ):
        refused = await typed(*arguments)
        assert refused.exit_code == 1
        assert reason in refused.output
