"""The rows for guardrails."""

from __future__ import annotations

from sluice.settings.kinds import BOOLEAN
from sluice.settings.setting import Group, Setting

ENABLED = Setting(
    name="GUARDRAILS_ENABLED",
    kind=BOOLEAN,
    default=False,
    summary="Whether questions and answers go through guardrails: `guardrails.rules` in `config.yaml`, and"
    " those of the admin API that a workflow names.",
)
ALLOW_PRIVATE = Setting(
    name="GUARDRAILS_ALLOW_PRIVATE_WEBHOOKS",
    kind=BOOLEAN,
    default=False,
    summary="Whether webhooks of guardrails may lead to private addresses.",
)
GROUP = Group(
    "Guardrails",
    (ENABLED, ALLOW_PRIVATE),
    "[guardrails.md](guardrails.md) has the types and what they say.",
)
