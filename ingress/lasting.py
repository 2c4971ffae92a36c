"""How long a request outlives its connection, as its headers say: `Prefer`, and two of ours."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct

from schemas.errors import InvalidRequest

if TYPE_CHECKING:  # settings name these policies, and every command reads settings
    from sanic.compat import Header

# cancel: it ends with its connection. finish: it goes on to its outcome. background: and its answer can
# be fetched.
OnDisconnect = Literal["cancel", "finish", "background"]
ON_DISCONNECT: tuple[OnDisconnect, ...] = get_args(OnDisconnect)
EVENT_IDS = "sluice-event-ids"
DISCONNECT = "sluice-on-disconnect"
# RFC 7240: token, maybe a value, maybe parameters behind semicolons.
_PREFERENCE = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*(?:=\s*(\"[^\"]*\"|[^\s;,\"]*))?\s*(?:;[^,]*)?"
)


class Lasting(Struct, frozen=True):
    """What is to happen with a request whose client does not wait for its answer, or cannot."""

    on_disconnect: OnDisconnect = "cancel"
    event_ids: bool = False  # its stream says the number of each event
    wait: float | None = None  # answered by 202 after so many seconds, if it was not whole before
    background: bool = False  # a Response of which the caller is told that it is queued

    @property
    def keep(self) -> bool:
        """Whether its answer can be fetched later."""
        return (
            self.wait is not None
            or self.event_ids
            or self.background
            or self.on_disconnect == "background"
        )

    @property
    def outlives(self) -> bool:
        """Whether it goes on when its connection goes."""
        return self.wait is not None or self.background or self.on_disconnect != "cancel"


_DEFAULTS: dict[OnDisconnect, Lasting] = {policy: Lasting(policy) for policy in ON_DISCONNECT}


def how_long(headers: Header, default: OnDisconnect) -> Lasting:
    """What the headers ask for; InvalidRequest if one of ours cannot be understood."""
    prefer, ids, policy = headers.get("prefer"), headers.get(EVENT_IDS), headers.get(DISCONNECT)
    if prefer is None and ids is None and policy is None:
        return _DEFAULTS[default]
    if ids not in (None, "0", "1"):
        raise InvalidRequest(f"`{EVENT_IDS}` must be 1 or 0.")
    if policy is not None and policy not in ON_DISCONNECT:
        raise InvalidRequest(f"`{DISCONNECT}` must be one of {', '.join(ON_DISCONNECT)}.")
    wait = respond_async(",".join(headers.getall("prefer", ())))
    return Lasting(policy or default, ids == "1", wait)


@lru_cache(maxsize=256)
def respond_async(prefer: str) -> float | None:
    """Seconds to wait before 202, from the `Prefer` headers; None if the answer is to be waited for."""
    found: dict[str, str] = {}
    for name, value in _PREFERENCE.findall(prefer):
        found.setdefault(name.lower(), value.strip('"'))  # of equal ones the first counts
    if "respond-async" not in found:
        return None
    wait = found.get("wait", "")
    return float(wait) if wait.isascii() and wait.isdecimal() and len(wait) < 6 else 0.0
