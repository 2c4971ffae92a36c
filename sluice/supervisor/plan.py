"""Which children `serve` has, with what environment, and how long each may take to stop."""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Mapping

from providers.instances import Instance
from sluice import ports, telemetry
from sluice.settings import Settings, configs, gateway, kafka, spool
from sluice.supervisor.child import Spec

# The order of the start; the stop has its own, since requests are answered by those behind.
START_ORDER = ("broker", "sim", "streams", "sinks", "ingress")
STOP_ORDER = ("ingress", "streams", "sinks", "sim", "broker")
# Parts of SHUTDOWN_TIMEOUT. The ingress waits for the answers of all its requests, and so for the
# workers' work on them; what a worker still has after that came from Kafka directly.
SHARES = {"ingress": 0.55, "streams": 0.25, "sinks": 0.1, "sim": 0.02, "broker": 0.05}


class Plan:
    """What the settings mean for `serve`."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], *, colour: bool) -> None:
        self.settings = settings
        self.providers: list[Instance] = configs.instances(settings)
        self.embedded = settings[kafka.BOOTSTRAP_SERVERS] is None
        self.simulated = not self.providers
        self.bootstrap = settings[kafka.BOOTSTRAP_SERVERS] or ""  # the embedded one's once it runs
        self._sim_url = ""
        self._sim_port = settings[gateway.SIM_PORT] or (ports.free_port() if self.simulated else 0)
        self._environment = {
            **environment,
            "LOG_FORMAT": telemetry.log_format(settings),
            "FORCE_COLOR": "1" if colour else "",
            "NO_COLOR": "" if colour else "1",
        }

    @property
    def roles(self) -> list[str]:
        """In the order of the start."""
        absent = {"broker": not self.embedded, "sim": not self.simulated}
        return [role for role in START_ORDER if not absent.get(role)]

    def started(self, role: str, address: str) -> None:
        """Take note of where a child listens: those after it need it."""
        if role == "broker":
            self.bootstrap = address
        elif role == "sim":
            self._sim_url = f"{address}/v1"

    def spec(self, role: str) -> Spec:
        """How to run a role, once those before it are ready."""
        return Spec(role, (sys.executable, "-m", "sluice", role), self._variables(role))

    def stop_seconds(self, role: str) -> float:
        """The role's part of SHUTDOWN_TIMEOUT."""
        return self.settings[gateway.SHUTDOWN_TIMEOUT] * SHARES[role]

    def _variables(self, role: str) -> dict[str, str]:
        variables = dict(self._environment)
        variables["SHUTDOWN_TIMEOUT"] = f"{max(self.stop_seconds(role), 1):g}"
        if self.bootstrap:
            variables["KAFKA_BOOTSTRAP_SERVERS"] = self.bootstrap
        if self.embedded and (folder := spool.folder(self.settings)) is not None:
            variables[spool.SPOOL_DIR.name] = str(folder)  # to them the broker is as any other
        if self._sim_url:
            variables["SLUICE_SIM_URL"] = self._sim_url
        if role == "sim":
            variables["SLUICE_SIM_PORT"] = str(self._sim_port)
        static = role in ("streams", "sinks") and self.embedded
        if static and not self.settings[kafka.GROUP_INSTANCE_ID]:
            # The one member of its group: a static one has its partitions back at once.
            variables["KAFKA_GROUP_INSTANCE_ID"] = self._member()
        if role == "sinks" and (port := self.settings[gateway.METRICS_PORT]):
            variables["METRICS_PORT"] = str(port + 1)
        return variables

    def _member(self) -> str:
        place = f"{socket.gethostname()}:{self.settings.data_dir.resolve()}"
        return f"serve-{hashlib.blake2b(place.encode(), digest_size=6).hexdigest()}"
