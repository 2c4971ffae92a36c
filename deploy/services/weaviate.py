"""Weaviate, built from its Go module once: about five minutes on two cores, then it is kept."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.services import install
from deploy.services.ports import HOST, Port
from deploy.services.probes import weaviate_answers
from deploy.services.terminal import ServiceError, say

VERSION = "weaviate.version"
MODULE = "github.com/weaviate/weaviate/cmd/weaviate-server"


class Weaviate:
    """One node without modules. Its gRPC and cluster ports listen on all interfaces."""

    name = "weaviate"
    ports = (
        Port("http", "WEAVIATE_HTTP_PORT", 18080),
        Port("grpc", "WEAVIATE_GRPC_PORT", 18051),
        Port("gossip", "WEAVIATE_GOSSIP_PORT", 18100),
        Port("cluster", "WEAVIATE_CLUSTER_PORT", 18101),
        Port("raft", "WEAVIATE_RAFT_PORT", 18102),
        Port("raft_internal", "WEAVIATE_RAFT_INTERNAL_PORT", 18103),
    )
    stop_signal = signal.SIGTERM

    def install(self) -> None:
        self._binary()

    def command(self, data: Path, ports: Mapping[str, int]) -> list[str]:
        variables = {
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
            "PERSISTENCE_DATA_PATH": str(data / "store"),
            "DEFAULT_VECTORIZER_MODULE": "none",
            "ENABLE_MODULES": "",
            "DISABLE_TELEMETRY": "true",
            "GO_PROFILING_DISABLE": "true",
            "CLUSTER_HOSTNAME": "node1",
            "CLUSTER_ADVERTISE_ADDR": HOST,
            "CLUSTER_BIND_ADDR": HOST,
            "CLUSTER_GOSSIP_BIND_PORT": str(ports["gossip"]),
            "CLUSTER_DATA_BIND_PORT": str(ports["cluster"]),
            "RAFT_PORT": str(ports["raft"]),
            "RAFT_INTERNAL_RPC_PORT": str(ports["raft_internal"]),
            "RAFT_BOOTSTRAP_EXPECT": "1",
            "RAFT_BOOTSTRAP_TIMEOUT": "30",
            "GRPC_PORT": str(ports["grpc"]),
            "LOG_LEVEL": "warning",
            "GOMAXPROCS": "2",
            "GOMEMLIMIT": "1GiB",
        }
        settings = [f"{name}={value}" for name, value in variables.items()]
        where = ["--host", HOST, "--port", str(ports["http"]), "--scheme", "http"]
        return [install.program("env", "coreutils"), *settings, str(self._binary()), *where]

    def answers(self, ports: Mapping[str, int]) -> bool:
        return weaviate_answers(ports["http"])

    def endpoints(self, data: Path, ports: Mapping[str, int]) -> dict[str, str]:
        return {
            "WEAVIATE_URL": f"http://{HOST}:{ports['http']}",
            "WEAVIATE_GRPC": f"{HOST}:{ports['grpc']}",
        }

    def _binary(self) -> Path:
        return install.cached("weaviate", [VERSION], _build) / "weaviate-server"


def _build(folder: Path) -> None:
    if shutil.which("go") is None:
        raise ServiceError("go is missing: Weaviate's server is built by it (Go 1.24 or newer)")
    version = (install.HERE / VERSION).read_text().strip()
    say(f"building weaviate {version}: once, about five minutes on two cores")
    command = ["go", "install", f"{MODULE}@{version}"]
    variables = os.environ | {"GOBIN": str(folder)}  # noqa: TID251 - passed on
    for _ in range(install.ATTEMPTS):  # registries hiccup; what was fetched is kept
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise ServiceError(f"go install {MODULE} failed:\n{done.stderr[-2000:]}")
