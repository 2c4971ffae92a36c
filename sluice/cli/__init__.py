"""The command line. Each command's module is imported only when it is called."""

from __future__ import annotations

import importlib

import click
from typing_extensions import override

# name: module, help. Written here so that `sluice --help` imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("roles", "Run everything on this machine: broker, streams, sinks, ingress."),
    "ingress": ("roles", "Run one ingress: HTTP in, JSON and SSE out."),
    "streams": ("roles", "Run one worker: requests from Kafka to the providers."),
    "sinks": ("roles", "Run one sink: exchanges from Kafka to the store."),
    "broker": ("roles", "Run the embedded broker alone."),
    "sim": ("roles", "Run the simulated provider alone."),
    "doctor": ("doctor", "Check settings and every connection, and say what to mend."),
    "topics": ("topics", "Create or describe the Kafka topics."),
    "dlq": ("dlq", "List, show and redrive dead letters."),
    "replay": ("replay", "Run recorded requests again on another model, and compare."),
    "export": ("export", "Write stored exchanges as lines of JSON."),
    "requests": ("requests", "Show where a request stands, or cancel it."),
    "tail": ("tail", "Follow the outcomes as they come, one line each."),
    "keys": ("keys", "List, create, rotate and deactivate managed keys."),
    "cache": ("cache", "Forget kept answers."),
    "settings": ("settings", "Show the settings that are in force, or document all."),
    "openapi": ("contract", "Print what is answered over HTTP, as OpenAPI 3.1."),
    "asyncapi": ("contract", "Print what stands on the topics, as AsyncAPI 3."),
    "version": ("settings", "Print the version."),
}


class _Lazy(click.Group):
    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"sluice.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Sluice: the streaming-first AI gateway. OpenAI-compatible outside, Kafka inside.

    Settings are environment variables, .env and config.yaml: see docs/settings.md or
    `sluice settings --format markdown`.
    """
