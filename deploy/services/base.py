"""What every service tells the runner about itself."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from deploy.services.ports import Port


class Service(Protocol):
    """One server: how it is installed, configured, started, asked whether it is up, and addressed."""

    @property
    def name(self) -> str: ...

    @property
    def ports(self) -> tuple[Port, ...]: ...

    @property
    def stop_signal(self) -> signal.Signals: ...

    def install(self) -> None:
        """Fetch and build what is missing; ServiceError says what could not be had."""

    def command(self, data: Path, ports: Mapping[str, int]) -> list[str]:
        """Write the configuration to `data` and return the command line."""

    def answers(self, ports: Mapping[str, int]) -> bool:
        """Whether clients may come now; must not raise and takes a few seconds at most."""

    def endpoints(self, data: Path, ports: Mapping[str, int]) -> dict[str, str]:
        """The lines for .services/env."""
