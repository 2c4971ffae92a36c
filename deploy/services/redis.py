"""Redis from the system's packages, with an append-only file."""

import signal
from collections.abc import Mapping
from pathlib import Path

from deploy.services import install
from deploy.services.ports import HOST, Port
from deploy.services.probes import redis_answers


class Redis:
    """Refuses writes when full (noeviction): tests must not lose keys silently."""

    name = "redis"
    ports = (Port("redis", "REDIS_PORT", 16379),)
    stop_signal = signal.SIGTERM

    def install(self) -> None:
        install.program("redis-server", "redis-server")

    def command(self, data: Path, ports: Mapping[str, int]) -> list[str]:
        options = {
            "bind": HOST,
            "port": str(ports["redis"]),
            "dir": str(data),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": "512mb",
            "maxmemory-policy": "noeviction",
        }
        command = [install.program("redis-server")]
        for name, value in options.items():
            command += [f"--{name}", value]
        return command

    def answers(self, ports: Mapping[str, int]) -> bool:
        return redis_answers(ports["redis"])

    def endpoints(self, data: Path, ports: Mapping[str, int]) -> dict[str, str]:
        return {"REDIS_URL": f"redis://{HOST}:{ports['redis']}/0"}
