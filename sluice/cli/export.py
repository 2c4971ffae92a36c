"""`sluice export`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from sluice.cli.connecting import progress
from sluice.cli.options import WHEN
from sluice.cli.output import settings_or_exit

if TYPE_CHECKING:
    from schemas.analytics import Wanted


@click.command()
@click.option(
    "--from", "--since", "since", type=WHEN, help="From then on: 2h, 2026-01-31, RFC 3339."
)
@click.option("--to", "--until", "until", type=WHEN, help="Before then.")
@click.option("--model", help="Only of this model, as its provider calls it.")
@click.option("--user-path", help="Only of this user path and those below it.")
@click.option("--key", help="Only of the key with this id.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file.")
@click.option("--resume", is_flag=True, help="Go on with a file that was broken off.")
def export(  # noqa: PLR0913  # each is an option of the command
    since: float | None,
    until: float | None,
    model: str | None,
    user_path: str | None,
    key: str | None,
    output: Path | None,
    *,
    resume: bool,
) -> None:
    """Write stored exchanges as lines of JSON, the oldest first, to a file or to standard output.

    They are read from the store of STORAGE_TYPE, a page at a time.
    """
    from schemas.analytics import Wanted
    from schemas.clock import rfc3339

    wanted = Wanted(
        since=None if since is None else rfc3339(since),
        until=None if until is None else rfc3339(until),
        model=model,
        user_path=user_path,
        client=key,
    )
    wanted = _going_on(wanted, output, resume=resume)
    asyncio.run(_export(wanted, output))


def _going_on(wanted: Wanted, output: Path | None, *, resume: bool) -> Wanted:
    """From behind the end of the file, if that is wanted."""
    from msgspec.structs import replace

    from sluice.operations.exporting import mended

    if output is None or not output.exists():
        if resume and output is None:
            raise click.UsageError("--resume takes --output, the file to go on with.")
        return wanted
    if not resume:
        raise click.UsageError(f"{output} is there: --resume goes on with it.")
    try:
        return replace(wanted, after=mended(output))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


async def _export(wanted: Wanted, output: Path | None) -> None:
    from schemas.errors import StoreUnavailable
    from sluice.operations.exporting import export as write
    from sluice.reports import pages

    settings = settings_or_exit()
    store = pages(settings)
    if store is None:
        raise click.ClickException("STORAGE_TYPE=jsonl is a file of such lines already.")
    try:
        with ExitStack() as stack:
            file: BinaryIO = (
                sys.stdout.buffer if output is None else stack.enter_context(output.open("ab"))
            )
            behind = stack.enter_context(progress("Exchanges", await store.count(wanted)))
            count = await write(store, wanted, file, behind)
        click.echo(f"{count} exchanges.", err=True)
    except StoreUnavailable as error:
        raise click.ClickException("The store cannot be asked: see `sluice doctor`.") from error
    finally:
        await store.close()
