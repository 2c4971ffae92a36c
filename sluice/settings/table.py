"""The table of all settings, in the order in which they are documented."""

from __future__ import annotations

from typing import Any

from sluice.settings import (
    batches,
    budgets,
    caching,
    cors,
    gateway,
    gomodel,
    guardrails,
    kafka,
    redaction,
    routing,
    semantic,
    spool,
    telemetry,
    upstream,
    work,
)
from sluice.settings.setting import Group, Setting

GROUPS: tuple[Group, ...] = (
    gateway.HTTP_GROUP,
    cors.GROUP,
    spool.GROUP,
    batches.GROUP,
    gateway.PROGRAM_GROUP,
    kafka.KAFKA_GROUP,
    kafka.TOPICS_GROUP,
    kafka.BROKER_GROUP,
    upstream.PROVIDERS_GROUP,
    routing.GROUP,
    caching.GROUP,
    semantic.GROUP,
    budgets.GROUP,
    guardrails.GROUP,
    work.STREAMS_GROUP,
    work.STORES_GROUP,
    redaction.GROUP,
    gateway.LOG_GROUP,
    telemetry.GROUP,
    gomodel.GROUP,
    gateway.INTERNAL_GROUP,
)
SETTINGS: tuple[Setting[Any], ...] = tuple(row for group in GROUPS for row in group.settings)
