"""`sluice dlq list`, `sluice dlq show` and `sluice dlq redrive`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from schemas.clock import SystemClock
from sluice.cli.connecting import kafka_or_exit, progress, run
from sluice.cli.options import clock_time, short, since_option, until_option
from sluice.cli.output import fail, json_option, print_json, print_table, settings_or_exit

if TYPE_CHECKING:
    from schemas.kafka import KafkaConfig
    from sluice.operations.dlq import Wanted
    from sluice.operations.letters import Letter, Shown
    from sluice.operations.log import Log
    from sluice.operations.redrive import Step

reason_option = click.option("--reason", help="Whose error or reason contains this text.")
request_option = click.option("--request", "request_id", help="Of the request with this id.")


@click.group()
def dlq() -> None:
    """List, show and redrive dead letters: records that could not be used, with the reason.

    A letter is named by its number, which is its offset, or by the id of its request.
    """


@dlq.command("list")
@reason_option
@request_option
@since_option
@until_option
@click.option("-n", "limit", type=click.IntRange(1), help="Only the last so many.")
@json_option
def list_letters(
    reason: str | None,
    request_id: str | None,
    since: float | None,
    until: float | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List dead letters, the oldest first."""
    from sluice.operations.letters import line

    names = () if request_id is None else (request_id,)
    found = _found(kafka_or_exit(settings_or_exit()), _wanted(names, reason, since, until))
    lines = [line(each) for each in (found if limit is None else found[-limit:])]
    if as_json:
        print_json(lines)
        return
    print_table(
        ("NUMBER", "TIME", "ERROR", "REASON", "STOOD AT", "REQUEST"),
        [
            (
                str(each.number),
                clock_time(each.at),
                each.exception.rpartition(".")[2],
                short(each.reason.rstrip().rpartition("\n")[2], 60),
                "" if each.topic is None else f"{each.topic}:{each.partition}:{each.offset}",
                each.request_id,
            )
            for each in lines
        ],
    )


@dlq.command("show")
@click.argument("letter")
@json_option
def show_letter(letter: str, as_json: bool) -> None:
    """Show one dead letter whole: why it died, its headers and its body."""
    from sluice.operations.letters import shown

    found = _found(kafka_or_exit(settings_or_exit()), _wanted((letter,)))
    if not found:
        fail(f"there is no dead letter {letter}: see `sluice dlq list`")
    if as_json:
        print_json(shown(found[-1]))
    else:
        _print_letter(shown(found[-1]))


@dlq.command("redrive")
@click.argument("letters", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that there are.")
@reason_option
@since_option
@until_option
@click.option("--force", is_flag=True, help="Also those whose provider may have been paid.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
def redrive_letters(  # noqa: PLR0913  # click hands each option in
    letters: tuple[str, ...],
    every: bool,
    reason: str | None,
    since: float | None,
    until: float | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Produce dead letters again, each to the topic where it stood, as it was.

    What has an outcome other than failed is never run again, and what a provider may have been paid
    for only by --force. A document that no store took goes to the stores again.
    """
    if not (letters or every or reason or since is not None or until is not None):
        raise click.UsageError("name letters, or say which by --reason, --since, --until or --all")
    kafka = kafka_or_exit(settings_or_exit())
    wanted = _wanted(letters, reason, since, until)
    steps = run(_redriven(kafka, wanted, force=force, dry_run=dry_run), kafka)
    if not steps:
        fail("there are no such dead letters: see `sluice dlq list`")
    _print_steps(steps, dry_run=dry_run, as_json=as_json)


def _wanted(
    names: tuple[str, ...],
    reason: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Wanted:
    from sluice.operations.dlq import Wanted

    return Wanted(names, reason, since, until)


def _found(kafka: KafkaConfig, wanted: Wanted) -> list[Letter]:
    async def found() -> list[Letter]:
        from sluice.operations import log as logs

        async with logs.opened(kafka) as log:
            return await _read(log, wanted)

    return run(found(), kafka)


async def _read(log: Log, wanted: Wanted) -> list[Letter]:
    from contextlib import aclosing

    from sluice.operations import dlq as work

    length = sum(map(len, (await work.extent(log, wanted)).values()))
    with progress("Dead letters", length) as behind:
        async with aclosing(work.letters(log, wanted, behind)) as found:
            return [each async for each in found]


async def _redriven(
    kafka: KafkaConfig, wanted: Wanted, *, force: bool, dry_run: bool
) -> list[Step]:
    from sluice.operations import dlq as work, log as logs

    async with logs.opened(kafka) as log:
        found = await _read(log, wanted)
        extents = await work.outcomes_extent(log, found)
        with progress("Outcomes", sum(map(len, extents.values()))) as behind:
            known = await work.outcomes(log, found, extents, behind)
        steps = work.plans(found, known, SystemClock(), force=force)
        if dry_run:
            return steps
        done = []
        with progress("Redriven", len(steps)) as behind:
            for step in steps:
                done.append(await work.redrive(log, step))
                behind(1)
        return done


def _print_letter(found: Shown) -> None:
    import msgspec

    line = found.letter
    click.echo(f"{click.style('Letter', bold=True)}     {line.number}, written {line.at}")
    click.echo(f"Request    {line.request_id}")
    click.echo(f"Stood at   {line.topic}, partition {line.partition}, offset {line.offset}")
    click.echo(f"Error      {line.exception}")
    click.echo(f"Reason     {line.reason.rstrip()}")
    click.echo(f"Key        {found.key or ''}")
    click.echo("\nHeaders")
    for name, value in found.headers:
        click.echo(f"  {name}: {value}")
    click.echo(f"\nBody ({line.bytes} bytes)")
    body = msgspec.json.decode(found.body)
    click.echo(body if isinstance(body, str) else msgspec.json.format(found.body).decode())


def _print_steps(steps: list[Step], *, dry_run: bool, as_json: bool) -> None:
    from sluice.operations.redrive import done

    redriven = "would be redriven" if dry_run else "redriven"
    rows = [done(step) for step in steps]
    if as_json:
        print_json({"dry_run": dry_run, "letters": rows})
        return
    print_table(
        ("NUMBER", "", "REQUEST", ""),
        [
            (
                str(row.number),
                redriven if row.redriven else "kept",
                row.request_id,
                row.why,
            )
            for row in rows
        ],
    )
    count = sum(step.action == "redrive" for step in steps)
    click.echo(f"{count} of {len(steps)} {redriven}.")
