"""The broker as a process of its own, for tests that kill it or use blocking clients."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvloop

from sluice.broker import BrokerConfig, run

ROOT = Path(__file__).resolve().parents[3]


class BrokerProcess:
    """`python -m tests.sluice.broker.process`: start, kill, start again on the same folder."""

    def __init__(self, folder: Path, port: int, **settings: Any) -> None:
        self.folder, self.port, self.settings = folder, port, settings
        self.process: subprocess.Popen[str] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it listens."""
        told = json.dumps({"folder": str(self.folder), "port": self.port, **self.settings})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.sluice.broker.process", told],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("ready "):
                return
        raise RuntimeError("the broker did not start")

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """SIGTERM; returns the exit status in `status`."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.status = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None


async def main() -> None:
    told = json.loads(sys.argv[1])
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    config = BrokerConfig(**{**told, "folder": Path(told["folder"])})
    await run(config, lambda address: print(f"ready {address}", flush=True), stop=stop)


if __name__ == "__main__":
    uvloop.run(main())
