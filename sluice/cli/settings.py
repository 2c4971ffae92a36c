"""`sluice settings` and `sluice version`."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from sluice import configured
from sluice.cli.output import json_option, print_json, settings_or_exit
from sluice.settings import pages, render


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["values", "json", "markdown", "env", "providers", "gomodel"]),
    default="values",
    help="values: what is set here; json: all; the others: pages of the documentation.",
)
@json_option
def settings(form: str, as_json: bool) -> None:
    """Show the settings that are in force, or document all."""
    if form == "markdown":
        click.echo(render.markdown(), nl=False)
    elif form == "env":
        click.echo(render.dotenv(), nl=False)
    elif form == "providers":
        click.echo(pages.providers(), nl=False)
    elif form == "gomodel":
        click.echo(pages.gomodels_settings(), nl=False)
    elif form == "json" or as_json:
        click.echo(render.as_json(settings_or_exit()))
    else:
        click.echo(render.values(settings_or_exit()))


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print the version."""
    names = ("aiokafka", "faust-streaming", "sanic")
    versions = {"sluice": configured.version(), "python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in names}
    if as_json:
        print_json(versions)
    else:
        click.echo(", ".join(f"{name} {number}" for name, number in versions.items()))
