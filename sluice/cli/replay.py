"""`sluice replay`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from schemas.clock import SystemClock
from schemas.ids import new_id
from sluice.cli.connecting import kafka_or_exit, progress, run
from sluice.cli.options import FILTER, WHEN
from sluice.cli.output import fail, json_option, print_json, print_table, settings_or_exit
from sluice.operations.filters import Filter
from sluice.settings import Settings, configs

if TYPE_CHECKING:
    from schemas.exchange import Exchange
    from schemas.kafka import KafkaConfig
    from sluice.operations.comparison import Comparison, Latency, Side
    from sluice.operations.recorded import Wanted
    from sluice.operations.replay import Pair, Terms


class Given(Struct, frozen=True):
    """What was typed."""

    model: str
    since: float | None
    until: float | None
    filters: tuple[Filter, ...]
    limit: int
    source: str
    concurrency: int
    timeout: float  # seconds
    user_path: str
    drop_params: bool
    dry_run: bool
    yes: bool
    as_json: bool


@click.command()
@click.option("--model", required=True, help="The model that answers now, as a client names it.")
@click.option("--from", "since", type=WHEN, help="Requests from then on: 2h, 2026-01-31, RFC 3339.")
@click.option("--to", "until", type=WHEN, help="Requests before then.")
@click.option("--filter", "filters", type=FILTER, multiple=True, help="Only FIELD=PATTERN.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@click.option("--source", type=click.Choice(["log", "store"]), default="log", show_default=True)
@click.option("--concurrency", type=click.IntRange(1, 1000), default=4, show_default=True)
@click.option("--timeout", type=click.FloatRange(1), default=600.0, help="Seconds for each.")
@click.option("--user-path", default="/sluice/replay", show_default=True, help="Who pays.")
@click.option("--drop-params", is_flag=True, help="Leave out what the model cannot be told.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@click.option("--yes", is_flag=True, help="Do not ask before it costs anything.")
@json_option
def replay(**options: Any) -> None:
    """Run recorded requests again on another model, and compare.

    Without a filter on the outcome only those that were completed. The answers go to a topic of
    their own, never to those who asked.
    """
    import msgspec

    given = msgspec.convert(options, Given)
    settings = settings_or_exit()
    kafka = kafka_or_exit(settings)
    found = run(_recorded(settings, kafka, _wanted(given), given.source), kafka)
    if not found:
        fail("no recorded request is meant: look with `sluice tail --no-follow --since`")
    if given.dry_run:
        _print_dry(len(found), given.model, as_json=given.as_json)
        return
    if not given.yes and sys.stdin.isatty():
        click.confirm(f"Run {len(found)} requests on {given.model}?", abort=True, err=True)
    pairs = run(_replayed(settings, kafka, found, _terms(kafka, given)), kafka)
    comparison = run(_compared(settings, given.model, pairs), kafka)
    if given.as_json:
        print_json(comparison)
    else:
        _print(comparison)


def _wanted(given: Given) -> Wanted:
    from sluice.operations.recorded import Wanted, completed

    return Wanted(given.since, given.until, completed(given.filters), given.limit)


def _terms(kafka: KafkaConfig, given: Given) -> Terms:
    from sluice.operations.comparing import shadow
    from sluice.operations.replay import Terms

    return Terms(
        model=given.model,
        shadow=shadow(kafka),
        run=new_id(int(SystemClock().time() * 1000)),
        concurrency=given.concurrency,
        timeout=given.timeout,
        user_path=given.user_path,
        drop_params=given.drop_params,
    )


async def _recorded(
    settings: Settings, kafka: KafkaConfig, wanted: Wanted, source: str
) -> list[Exchange]:
    from sluice.operations import log as logs, recorded as work

    if source == "store":
        try:
            return await work.from_store(configs.sink_config(settings), wanted)
        except OSError as error:
            fail(f"the store cannot be read: {error}")
    async with logs.opened(kafka) as log:
        with progress("Reading", await work.length(log, wanted)) as behind:
            return await work.from_log(log, wanted, behind)


async def _replayed(
    settings: Settings, kafka: KafkaConfig, found: list[Exchange], terms: Terms
) -> list[Pair]:
    from sluice.operations import log as logs
    from sluice.operations.comparing import make_shadow
    from sluice.operations.replay import Replay

    await make_shadow(settings, kafka)
    async with logs.opened(kafka) as log:
        with progress("Replaying", len(found)) as behind:
            return await Replay(log, terms, SystemClock()).run(found, behind)


async def _compared(settings: Settings, model: str, pairs: list[Pair]) -> Comparison:
    from sluice.operations.comparing import compare

    return await compare(settings, model, pairs, SystemClock())


def _print_dry(count: int, model: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": True, "model": model, "requests": count})
    else:
        click.echo(f"{count} requests would be run on {model}.")


def _print(found: Comparison) -> None:
    count, sides = found.requests, (found.before, found.after)
    print_table(
        ("", "RECORDED", found.model),
        [
            ("requests", str(count), str(count)),
            ("completed", *(str(side.completed) for side in sides)),
            ("input tokens", *(str(side.input_tokens) for side in sides)),
            ("output tokens", *(str(side.output_tokens) for side in sides)),
            ("cost", *(_cost(side, count) for side in sides)),
            ("latency p50 / p95", *(_seconds(side.latency) for side in sides)),
            ("first token p50 / p95", *(_seconds(side.first_token) for side in sides)),
        ],
    )
    click.echo(f"\nAnswers: {found.equal} equal, {found.changed} changed, {found.failed} failed.")
    for each in found.answers:
        if each.verdict == "failed":
            click.echo(f"  {each.request_id} failed as {each.replayed_as}: {each.error}")


def _cost(side: Side, count: int) -> str:
    if side.cost is None:
        return "unknown"
    return f"${side.cost:.6f}" + ("" if side.priced == count else f" ({side.priced} of {count})")


def _seconds(found: Latency) -> str:
    if found.p50 is None or found.p95 is None:
        return "unknown"
    return f"{found.p50:.3f}s / {found.p95:.3f}s"
