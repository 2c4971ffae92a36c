"""Managed keys from the command line: the changes of the admin API, without an ingress."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from msgspec.structs import replace

from ingress import key_changes
from ingress.api.key_fields import checked
from schemas.clock import Clock, rfc3339
from schemas.errors import Conflict, NotFound
from schemas.ids import new_id
from schemas.kafka import KafkaConfig
from schemas.keys import KEYS, ManagedKey, new_secret
from schemas.kinds import KINDS
from schemas.objects import ObjectLog
from schemas.tasks import Tasks
from sluice.config_log import ConfigLog


class KeyDesk:
    """All managed keys, as `llm.config` has them. Raises GatewayError with what is wrong."""

    def __init__(self, log: ObjectLog, clock: Clock, *, has_master: bool) -> None:
        """`has_master`: the ingresses have a master key, so that the last admin's may go."""
        self._log = log
        self._table = log.objects.table(KEYS)
        self._clock = clock
        self._has_master = has_master

    def listed(self) -> list[ManagedKey]:
        """The oldest first."""
        return sorted((each for _, each in self._table), key=key_changes.created)

    async def create(self, fields: ManagedKey) -> tuple[ManagedKey, str]:
        """A new key with the name, role and bounds of `fields`, and its value, told this once."""
        now, value = self._clock.time(), new_secret()
        key = key_changes.made(
            value,
            self.listed(),
            key_id=new_id(int(now * 1000), 0),
            role=fields.role,
            now=now,
        )
        key = checked(
            replace(
                fields,
                id=key.id,
                secret_hash=key.secret_hash,
                redacted_value=key.redacted_value,
                created_at=key.created_at,
                updated_at=key.updated_at,
            )
        )
        await self._put(key, 0)
        return key, value

    async def rotate(self, which: str, overlap: float) -> tuple[ManagedKey, str]:
        """A new value; the former one is taken for `overlap` seconds more."""
        key, version = self._found(which)
        value = new_secret()
        key = key_changes.rotated(key, value, overlap, self._clock.time())
        return await self._put(key, version), value

    async def deactivate(self, which: str) -> ManagedKey:
        """It is refused from now on; its record stays."""
        key, version = self._found(which)
        new = key_changes.deactivated(key, self._clock.time())
        return key if new is key else await self._put(new, version)

    def _found(self, which: str) -> tuple[ManagedKey, int]:
        """By id, or by a name that only one has."""
        named = [each for each in self.listed() if which in (each.id, each.name)]
        if not named:
            raise NotFound(f"There is no key with the id or name '{which[:100]}'.")
        if len(named) > 1:
            raise Conflict(f"{len(named)} keys are named '{which[:100]}': say its id.")
        return named[0], self._table.entry(named[0].id).version

    async def _put(self, key: ManagedKey, version: int) -> ManagedKey:
        now = self._clock.time()
        if not self._has_master:
            key_changes.check_administered((*self._others(key), key), now)
        key = replace(key, updated_at=rfc3339(now))
        await self._log.put(KEYS, key.id, key, expected=version)
        return key

    def _others(self, key: ManagedKey) -> Iterable[ManagedKey]:
        return (each for name, each in self._table if name != key.id)


@asynccontextmanager
async def key_desk(kafka: KafkaConfig, clock: Clock, *, has_master: bool) -> AsyncIterator[KeyDesk]:
    """Open while the block runs. KafkaError or MissingPartition if the log cannot be read."""
    log, tasks = ConfigLog(kafka, clock, KINDS), Tasks()
    await log.start()
    try:
        tasks.start(log.run(), name="config")
        yield KeyDesk(log, clock, has_master=has_master)
    finally:
        await tasks.abort()
        await log.stop()
