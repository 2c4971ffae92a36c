"""`sluice serve` and the roles that it runs, each as a command of its own."""

from __future__ import annotations

import click

from sluice.cli.output import settings_or_exit


def _run(name: str) -> None:
    settings = settings_or_exit()
    from sluice import process, roles

    process.leave(process.run(name, getattr(roles, name), settings))


@click.command()
def serve() -> None:
    """Run everything on this machine: broker, streams, sinks, ingress.

    With KAFKA_BOOTSTRAP_SERVERS the embedded broker stays out; without any provider's key the
    simulated provider answers. Ctrl-C or SIGTERM stop in order, a second one at once.
    """
    settings = settings_or_exit()
    from sluice.settings.sources import process_environment
    from sluice.supervisor.serve import run

    raise SystemExit(run(settings, process_environment()))


@click.command()
def ingress() -> None:
    """Run one ingress: HTTP in, JSON and SSE out."""
    _run("ingress")


@click.command()
def streams() -> None:
    """Run one worker: requests from Kafka to the providers, answers and outcomes to Kafka."""
    _run("streams")


@click.command()
def sinks() -> None:
    """Run one sink: exchanges from Kafka to the store."""
    _run("sinks")


@click.command()
def broker() -> None:
    """Run the embedded broker alone, with its records in $SLUICE_DATA_DIR/broker."""
    _run("broker")


@click.command()
def sim() -> None:
    """Run the simulated provider alone: echo, delays and faults by model name."""
    _run("sim")
