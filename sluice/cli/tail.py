"""`sluice tail`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sluice.cli.connecting import kafka_or_exit, run
from sluice.cli.options import FILTER, clock_time, colour, since_option
from sluice.cli.output import json_option, settings_or_exit

if TYPE_CHECKING:
    from schemas.exchange import Exchange
    from schemas.kafka import KafkaConfig
    from sluice.operations.filters import Filter
    from sluice.operations.tail import Begin

COLOURS = {
    "completed": "green",
    "failed": "red",
    "expired": "yellow",
    "cancelled": "yellow",
    "rejected": "magenta",
}


@click.command()
@click.option("-n", "last", type=click.IntRange(0), default=10, help="Begin with the last so many.")
@since_option
@click.option("--filter", "filters", type=FILTER, multiple=True, help="Only FIELD=PATTERN.")
@click.option("--follow/--no-follow", default=True, help="Go on with what comes: the default.")
@click.option("--bodies", is_flag=True, help="With --json: requests and answers, too.")
@json_option
def tail(
    last: int,
    since: float | None,
    filters: tuple[Filter, ...],
    follow: bool,
    bodies: bool,
    as_json: bool,
) -> None:
    """Follow the outcomes as they come, one line each, until Ctrl-C.

    A filter is a field and a pattern: --filter outcome!=completed --filter 'model=gpt-*'.
    """
    from sluice.operations.tail import Begin

    kafka = kafka_or_exit(settings_or_exit())
    begin = Begin(since, last, follow)
    writer = _Writer(filters, as_json=as_json, bodies=bodies)
    try:
        run(_followed(kafka, begin, writer), kafka)
    except KeyboardInterrupt:
        sys.exit(0)


async def _followed(kafka: KafkaConfig, begin: Begin, writer: _Writer) -> None:
    from contextlib import aclosing

    from sluice.operations import log as logs, tail as work

    async with logs.opened(kafka) as log, aclosing(work.exchanges(log, begin)) as records:
        async for record in records:
            writer.write(record.value)


class _Writer:
    """Writes those that the filters take."""

    def __init__(self, filters: tuple[Filter, ...], *, as_json: bool, bodies: bool) -> None:
        self._filters = filters
        self._json = as_json
        self._bodies = bodies

    def write(self, value: bytes) -> None:
        import msgspec

        from schemas import exchange as exchanges
        from sluice.operations.filters import all_take

        try:
            found = exchanges.decode(value)
        except msgspec.DecodeError as error:
            click.echo(f"an exchange cannot be read: {error}", err=True)
            return
        if all_take(self._filters, found):
            click.echo(self._as_json(value) if self._json else line(found))

    def _as_json(self, value: bytes) -> bytes:
        import msgspec

        members = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        if not self._bodies:
            members = {k: v for k, v in members.items() if k not in ("request", "response")}
        return msgspec.json.encode(members)


def line(found: Exchange) -> str:
    """An exchange in one line."""
    whom = " → ".join(filter(None, (found.request_model, found.provider)))
    tokens = f"{found.usage.input_tokens}+{found.usage.output_tokens} tokens" if found.usage else ""
    parts = [
        clock_time(found.finished_at),
        colour(f"{found.outcome:9}", COLOURS[found.outcome]),
        str(found.status),
        f"{found.timings.total:7.3f}s",
        whom,
        tokens,
        found.user_path,
        found.request_id,
        found.error.code if found.error else "",
    ]
    return "  ".join(part for part in parts if part)
