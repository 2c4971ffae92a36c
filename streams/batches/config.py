"""What running batches needs to know; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

# Who runs a batch for which nobody is named. auto: the one provider that runs batches, and the gateway
# where none does. sluice: the gateway. provider: never the gateway.
Runner = Literal["auto", "sluice", "provider"]
RUNNERS: tuple[Runner, ...] = get_args(Runner)


class BatchConfig(Struct, frozen=True, kw_only=True):
    """Sizes are bytes, times are seconds."""

    runner: Runner = "auto"
    in_flight: int = 1000  # requests of one batch in the log at once
    max_requests: int = 1_000_000
    max_line: int = 10 << 20
    call_timeout: float = 600.0  # for one line, from its start
    drop_params: bool = False
    cancel_grace: float = (
        600.0  # for lines that are being called when a batch is cancelled or expires
    )
    poll: float = 0.1  # between two looks at what came in
    look: float = 1.0  # between two looks for batches that nobody runs
