"""`sluice keys`: managed keys without an ingress. What is changed is in force everywhere at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click
from typing_extensions import Unpack, override

from schemas.clock import SystemClock
from schemas.keys import ROLES, ManagedKey, Role
from sluice.cli.connecting import kafka_or_exit, run
from sluice.cli.options import clock_time
from sluice.cli.output import fail, json_option, print_json, print_table, settings_or_exit
from sluice.settings import gateway
from sluice.settings.kinds import duration

if TYPE_CHECKING:
    from sluice.operations.keys import KeyDesk

T = TypeVar("T")
_YEAR = 366 * 86_400


class _Said(TypedDict):
    """What may be said of a new key beside its name."""

    role: Role
    user_path: str | None
    models: tuple[str, ...]
    endpoints: tuple[str, ...]
    ips: tuple[str, ...]
    expires_at: str | None
    description: str


class _Duration(click.ParamType):
    """Seconds, or with a unit."""

    name = "duration"

    @override
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        try:
            return duration(0, _YEAR).parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group()
def keys() -> None:
    """List, create, rotate and deactivate managed keys."""


@keys.command("list")
@json_option
def listed(as_json: bool) -> None:
    """All keys, the oldest first, without their values."""

    async def work(desk: KeyDesk) -> list[ManagedKey]:
        return desk.listed()

    found = _done(work)
    if as_json:
        print_json([_shown(each) for each in found])
        return
    print_table(
        ("ID", "NAME", "ROLE", "USER PATH", "VALUE", "CREATED", "STATE"),
        [
            (
                each.id,
                each.name,
                each.role,
                each.user_path or "",
                each.redacted_value,
                clock_time(each.created_at),
                _state(each),
            )
            for each in found
        ],
    )


@keys.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="client",
    show_default=True,
    help="Without a master key the first key must be an admin's.",
)
@click.option("--user-path", help="Its requests are this path's, or of one below.")
@click.option("--model", "models", multiple=True, help="That it may ask for; repeat it, * matches.")
@click.option("--endpoint", "endpoints", multiple=True, help="The same of paths.")
@click.option("--ip", "ips", multiple=True, help="The same of networks that it may come from.")
@click.option("--expires", "expires_at", help="RFC 3339, or a day, meant to its end (UTC).")
@click.option("--description", default="", help="Yours.")
@json_option
def create(name: str, *, as_json: bool, **said: Unpack[_Said]) -> None:
    """Make a key. Its value is printed this once; only its hash is kept."""
    fields = ManagedKey(
        id="", name=name, secret_hash="", redacted_value="", created_at="", updated_at="", **said
    )
    _print_value(*_done(lambda desk: desk.create(fields)), as_json=as_json)


@keys.command()
@click.argument("key")
@click.option(
    "--overlap",
    type=_Duration(),
    default="24h",
    show_default=True,
    help="How long the former value is taken; 0: not at all.",
)
@json_option
def rotate(key: str, overlap: float, *, as_json: bool) -> None:
    """Give a key, by its id or name, a new value, printed this once."""
    _print_value(*_done(lambda desk: desk.rotate(key, overlap)), as_json=as_json)


@keys.command()
@click.argument("key")
@json_option
def deactivate(key: str, *, as_json: bool) -> None:
    """Refuse a key, by its id or name, from now on; its record stays."""
    found = _done(lambda desk: desk.deactivate(key))
    if as_json:
        print_json(_shown(found))
    else:
        click.echo(f"Deactivated {found.id} ({found.name}).")


def _done(work: Callable[[KeyDesk], Awaitable[T]]) -> T:
    """What came of it; one line and exit code 1 if it cannot be done."""
    from schemas.errors import GatewayError
    from sluice.operations.keys import key_desk

    settings = settings_or_exit()
    kafka = kafka_or_exit(settings)
    has_master = settings[gateway.MASTER_KEY] is not None

    async def asked() -> T:
        async with key_desk(kafka, SystemClock(), has_master=has_master) as desk:
            return await work(desk)

    try:
        return run(asked(), kafka)
    except GatewayError as error:
        fail(error.message)


def _print_value(key: ManagedKey, value: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**_shown(key), "value": value})
        return
    click.echo(f"Key {key.id} ({key.name}); keep its value, it is not shown again:", err=True)
    click.echo(value)


def _shown(key: ManagedKey) -> dict[str, object]:
    from ingress.key_changes import shown

    return shown(key, SystemClock().time())


def _state(key: ManagedKey) -> str:
    from ingress.key_changes import active

    if key.deactivated_at is not None:
        return "deactivated"
    return "active" if active(key, SystemClock().time()) else "expired"
