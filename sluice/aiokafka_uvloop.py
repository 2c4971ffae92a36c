"""aiokafka on uvloop: a write to a connection that has just closed.

asyncio's transports ignore such a write or raise OSError, which aiokafka turns into a connection error
and survives. uvloop raises RuntimeError: it ends the client's metadata task for good, and nobody is
told. aiokafka's version is pinned (docs/adr/0003); the cure goes when upstream has one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

Send = Callable[..., Any]


def install() -> None:
    """Have every connection of this process fail as aiokafka expects. May be called again."""
    for name in ("send", "_send_sasl_token"):
        send = getattr(AIOKafkaConnection, name)
        if not hasattr(send, "__wrapped__"):
            setattr(AIOKafkaConnection, name, _mended(send))


def _mended(send: Send) -> Send:
    @wraps(send)
    def sending(connection: AIOKafkaConnection, *args: Any, **kwargs: Any) -> Any:
        try:
            return send(connection, *args, **kwargs)
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"the connection is closed: {error}") from error

    return sending
