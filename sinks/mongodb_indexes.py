"""The indexes of the collection `exchanges`, made and changed when a sink starts."""

from __future__ import annotations

from typing import Any

import pymongo
import structlog
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure

log = structlog.get_logger()

COLLECTION = "exchanges"
EXPIRY = "created_at_expiry"
DAY = 86_400
BUILD_TIMEOUT = 3600.0  # seconds
NEVER = 2**31 - 1  # MongoDB's largest expireAfterSeconds: 68 years
_NEWEST = ("created_at", DESCENDING)
INDEXES = (
    IndexModel([_NEWEST, ("_id", DESCENDING)], name="newest"),
    IndexModel([("user_path", ASCENDING), _NEWEST], name="user_path"),
    IndexModel([("request_model", ASCENDING), _NEWEST], name="request_model"),
    IndexModel([("provider", ASCENDING), _NEWEST], name="provider"),
    IndexModel([("outcome", ASCENDING), _NEWEST], name="outcome"),
    IndexModel([("client_request_id", ASCENDING)], name="client_request_id", sparse=True),
)


async def ensure_indexes(collection: AsyncCollection[dict[str, Any]], retention_days: int) -> None:
    """Make what is missing; PyMongoError if the server cannot be asked.

    What is there is left alone, so that an administrator may change an index of the same name; only
    the expiry follows the setting. A retention of 0 days keeps for ever, by the longest expiry.
    """
    there = {index["name"]: index async for index in await collection.list_indexes()}
    seconds = retention_days * DAY or NEVER
    missing = [index for index in INDEXES if index.document["name"] not in there]
    if EXPIRY not in there:
        missing.append(
            IndexModel([("created_at", ASCENDING)], name=EXPIRY, expireAfterSeconds=seconds)
        )
    if missing:
        # On a large collection it takes its time, and the client's time-out would undo it.
        with pymongo.timeout(BUILD_TIMEOUT):
            await collection.create_indexes(missing)
    if EXPIRY in there and there[EXPIRY].get("expireAfterSeconds") != seconds:
        await _change_expiry(collection, seconds)


async def _change_expiry(collection: AsyncCollection[dict[str, Any]], seconds: int) -> None:
    change = {"name": EXPIRY, "expireAfterSeconds": seconds}
    try:
        await collection.database.command("collMod", collection.name, index=change)
    except OperationFailure as error:
        # Rights may be missing, or the command (compatible servers): documents go on being stored.
        log.warning("retention_not_changed", seconds=seconds, error=str(error)[:300])
    else:
        log.info("retention_changed", seconds=seconds)
