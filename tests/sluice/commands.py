"""The commands of operators as they are typed, against a gateway of the tests."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.stack import Stack, _inherited

SECONDS = 120.0


class Done(Struct):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        assert self.code == 0, self.err
        return self.out.splitlines()


async def started(
    stack: Stack, *arguments: str, folder: Path | None = None, **env: str
) -> asyncio.subprocess.Process:
    """A command that runs, with the gateway's own settings, in its folder or another."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sluice", *arguments),
        env=_inherited() | stack.env | env,
        cwd=folder or stack.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def typed(stack: Stack, *arguments: str, folder: Path | None = None, **env: str) -> Done:
    """A command's end. It never ends in a traceback."""
    process = await started(stack, *arguments, folder=folder, **env)
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return Done(process.returncode or 0, out.decode(), err.decode())
