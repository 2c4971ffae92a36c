"""What is known of a request before the log has it: by this it is recorded if it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingress.caller import Caller
    from ingress.keys import Principal


class Draft:
    """What is known of a request until the log has it."""

    __slots__ = ("caller", "client_ip", "content", "model", "principal", "stream")

    def __init__(self, principal: Principal, client_ip: str | None) -> None:
        self.principal = principal
        self.client_ip = client_ip
        self.caller: Caller | None = None  # once its headers were found to be right
        self.content = b""  # as far as it was read and stands here
        self.model: str | None = None
        self.stream = False
