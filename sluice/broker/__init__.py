"""The embedded broker: one durable node that speaks Kafka's protocol on loopback."""

from __future__ import annotations

from sluice.broker.config import BrokerConfig
from sluice.broker.errors import FolderInUse, StorageFailed
from sluice.broker.server import Broker, run

__all__ = ["Broker", "BrokerConfig", "FolderInUse", "StorageFailed", "run"]
