"""`Idempotency-Key`: requests of one owner with one key meet in one partition, where a worker joins them."""

from __future__ import annotations

import re

from ingress.caller import Caller
from ingress.config import IngressConfig
from ingress.guards import IncomingRequest
from schemas.errors import InvalidRequest
from schemas.idempotency import MAX_CHARS, name_of
from schemas.identity import partition_of, record_key
from schemas.ids import new_id

HEADER = "idempotency-key"
_KEY = re.compile(rf"[\x20-\x7e]{{1,{MAX_CHARS}}}")


def idempotency_key(request: IncomingRequest) -> str | None:
    """What the header says; InvalidRequest if it is no key. Only a POST has one."""
    given: str | None = request.headers.get(HEADER)
    if given is None or request.method != "POST":
        return None
    # The IETF's draft has it as a quoted string, everybody else as it is.
    key = given.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if _KEY.fullmatch(key) is None:
        raise InvalidRequest(
            f"`Idempotency-Key` must be 1 to {MAX_CHARS} visible ASCII characters."
        )
    return key


def take_place(
    request: IncomingRequest, key: str, caller: Caller, config: IngressConfig, now: float
) -> None:
    """Give the request an id that lies in its key's partition: so it stands both where its key and where
    its id says. `now` is epoch seconds."""
    wanted = partition_of(name_of(key, caller.client, caller.user_path), config.partitions)
    while _partition(request, config) != wanted:
        request.gateway_id = new_id(int(now * 1000), config.slot)


def _partition(request: IncomingRequest, config: IngressConfig) -> int | None:
    name = request.gateway_id
    return None if name is None else partition_of(record_key(name), config.partitions)
