"""`sluice requests show` and `sluice requests cancel`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from schemas.clock import SystemClock
from sluice.cli.connecting import kafka_or_exit, progress, run
from sluice.cli.options import since_option
from sluice.cli.output import fail, json_option, print_json, settings_or_exit

if TYPE_CHECKING:
    from schemas.exchange import Exchange
    from schemas.kafka import KafkaConfig
    from sluice.operations.log import Log
    from sluice.operations.requests import Standing

EXPLAINED = {
    "waiting": "no worker answers it yet",
    "refused": "it is no request: see its dead letter",
    "unknown": "its record was taken up, and no outcome of it is in the log",
}


@click.group()
def requests() -> None:
    """Show where a request stands, or cancel it.

    A request is named by its id, or by the X-Request-ID that its client sent.
    """


@requests.command()
@click.argument("name")
@since_option
@click.option("--bodies", is_flag=True, help="With the request and its answer.")
@json_option
def show(name: str, since: float | None, bodies: bool, as_json: bool) -> None:
    """Show where requests stand: waiting, running, or what became of them."""
    kafka = kafka_or_exit(settings_or_exit())
    found = run(_found(kafka, name, since), kafka)
    if not found:
        fail(f"no request {name} is in the log: it is older than the log, or another name is meant")
    if as_json:
        from sluice.operations.requests import told

        print_json([told(each, bodies=bodies) for each in found])
        return
    for number, each in enumerate(found):
        click.echo("\n" * bool(number), nl=False)
        for label, text in _rows(each):
            click.echo(f"{label:11}{text}")
        if bodies and each.exchange is not None:
            _print_bodies(each.exchange)


@requests.command()
@click.argument("name")
@since_option
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Seconds to wait for its end.",
)
@json_option
def cancel(name: str, since: float | None, wait: float, as_json: bool) -> None:
    """Cancel a request, whether it runs or waits."""
    kafka = kafka_or_exit(settings_or_exit())
    ended = run(_cancelled(kafka, name, since, wait), kafka)
    if not ended:
        fail(f"no request {name} is in the log")
    if as_json:
        print_json([{"request_id": each, "outcome": outcome} for each, outcome in ended.items()])
        return
    for request_id, outcome in ended.items():
        said = "its end was asked for, and did not come in time" if outcome is None else outcome
        click.echo(f"{request_id}  {said}")


async def _found(kafka: KafkaConfig, name: str, since: float | None) -> list[Standing]:
    from sluice.operations import log as logs

    async with logs.opened(kafka) as log:
        return await _sought(log, name, since)


async def _sought(log: Log, name: str, since: float | None) -> list[Standing]:
    from sluice.operations.requests import Search, Sought

    search = Search(log, Sought(name, since), SystemClock())
    extents = await search.extents()
    length = sum(len(offsets) for part in extents for offsets in part.values())
    with progress("Searching", length) as behind:
        return await search.run(extents, behind)


async def _cancelled(
    kafka: KafkaConfig, name: str, since: float | None, wait: float
) -> dict[str, str | None]:
    """The outcome of each request of that name; None if it has none in time."""
    from sluice.operations import cancelling as work, log as logs

    async with logs.opened(kafka) as log:
        return await work.ended(log, await _sought(log, name, since), wait, SystemClock())


def _rows(found: Standing) -> Iterator[tuple[str, str]]:
    explained = EXPLAINED.get(found.status)
    yield "Request", click.style(found.request_id, bold=True)
    yield "Status", found.status + (f": {explained}" if explained else "")
    if found.client_request_id:
        yield "Client's", f"{found.client_request_id} (X-Request-ID)"
    if found.batch_id:
        yield "Line", f"{found.custom_id} of {found.batch_id}"
    yield "From", f"{found.source or '/kafka'}, {found.user_path or '/kafka'}"
    yield "Made", f"{found.made}" + (f", deadline {found.deadline}" if found.deadline else "")
    yield from _running_rows(found)
    if found.exchange is not None:
        yield from _outcome_rows(found.exchange)


def _running_rows(found: Standing) -> Iterator[tuple[str, str]]:
    for place in found.places:
        yield "Stands at", f"{place.topic}, partition {place.partition}, offset {place.offset}"
    if found.ahead is not None:
        yield "Before it", f"{found.ahead} unfinished in its partition"
    if (worker := found.worker) is not None:
        doing = f"{worker.running} running, {worker.waiting} waiting"
        yield "Worker", f"process {worker.pid} on {worker.host}: {doing}"
    if found.cancelled:
        yield "Cancelled", found.cancelled
    if found.letter is not None:
        yield "Letter", f"`sluice dlq show {found.letter}`"
    if (answer := found.answering) is not None:
        told = f"{answer.records} records, {answer.bytes} bytes of attempt {answer.attempt}"
        yield "Replies", f"{told} on {answer.topic}"


def _outcome_rows(found: Exchange) -> Iterator[tuple[str, str]]:
    yield "Ended", f"{found.finished_at}, HTTP {found.status}, after {found.timings.total:.3f}s"
    yield "Model", f"{found.request_model} → {found.provider}: {found.response_model}"
    if found.usage is not None:
        yield "Tokens", f"{found.usage.input_tokens} in, {found.usage.output_tokens} out"
    if found.error is not None:
        yield "Error", f"{found.error.code}: {found.error.message}"
    for each in found.attempts:
        said = each.error or f"HTTP {each.status}"
        yield "Attempt", f"{each.provider}/{each.model}: {said}, {each.duration:.3f}s"


def _print_bodies(found: Exchange) -> None:
    click.echo(f"\n{found.request.content().decode(errors='replace')}")
    if found.response is not None:
        click.echo(f"\n{found.response.content().decode(errors='replace')}")
