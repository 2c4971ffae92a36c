"""`sluice openapi` and `sluice asyncapi`: what a gateway says of itself, without one that runs."""

from __future__ import annotations

import click

from sluice.cli.output import print_json


@click.command()
def openapi() -> None:
    """Print the OpenAPI document of all routes."""
    from ingress.config import IngressConfig
    from ingress.contract.openapi import document
    from ingress.routes import table

    print_json(document(table(IngressConfig())))


@click.command()
def asyncapi() -> None:
    """Print the AsyncAPI document of the topics."""
    from ingress.contract.asyncapi import document
    from schemas.topics import Topics

    print_json(document(Topics()))
