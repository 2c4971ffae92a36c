"""One client connection: Sanic's protocol with a deadline for a request's head that holds."""

from __future__ import annotations

from sanic.exceptions import RequestTimeout
from sanic.http.constants import Stage
from sanic.server import HttpProtocol
from typing_extensions import override


class Connection(HttpProtocol):
    """Sanic measures a head's time-out from its last byte, so that a trickle would never end.

    Sanic looks at each connection every half REQUEST_TIMEOUT; here a head that it finds incomplete
    at two looks in a row has had its time.
    """

    __slots__ = ("_unfinished",)

    @override
    def check_timeouts(self) -> None:
        http, task = self._http, self._task
        if task is not None and http is not None and http.stage is Stage.REQUEST:
            number = self.state["requests_count"]
            if getattr(self, "_unfinished", None) == number:
                http.exception = RequestTimeout("Request Timeout")
                task.cancel()
                return
            self._unfinished = number
        super().check_timeouts()  # type: ignore[no-untyped-call]  # Sanic has no annotations there
