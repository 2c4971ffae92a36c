"""`sluice doctor`."""

from __future__ import annotations

import asyncio
import sys

import click

from sluice.cli.output import json_option, print_json, settings_or_exit

_MARKS = {"ok": ("ok   ", "green"), "note": ("note ", "yellow"), "wrong": ("WRONG", "red")}


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check settings and every connection, and say what to mend; exit code 1 if something is wrong."""
    settings = settings_or_exit()
    import logging

    from sluice.doctor import examine

    # The libraries' own complaints would stand between the findings.
    logging.getLogger().addHandler(logging.NullHandler())
    findings = asyncio.run(examine(settings))
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.state]
            click.echo(f"{click.style(mark, fg=colour)} {finding.subject}: {finding.detail}")
            if finding.mend:
                click.echo(f"      {finding.mend}")
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(1)
