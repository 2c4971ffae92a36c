"""The models of the simulated provider, as each family lists them; every name can be asked for."""

from __future__ import annotations

from sluice.sim.answers import CREATED, CREATED_AT
from sluice.sim.script import LISTED

Object = dict[str, object]
_METHODS = [
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
]


def openai(name: str) -> Object:
    """https://platform.openai.com/docs/api-reference/models"""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "sluice-sim"}


def openai_list() -> Object:
    return {"object": "list", "data": [openai(name) for name in LISTED]}


def anthropic(name: str) -> Object:
    """https://docs.anthropic.com/en/api/models-list"""
    return {"type": "model", "id": name, "display_name": name, "created_at": CREATED_AT}


def anthropic_list() -> Object:
    data = [anthropic(name) for name in LISTED]
    return {"data": data, "has_more": False, "first_id": LISTED[0], "last_id": LISTED[-1]}


def gemini(name: str) -> Object:
    """https://ai.google.dev/api/models"""
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": _METHODS,
    }


def gemini_list() -> Object:
    return {"models": [gemini(name) for name in LISTED]}
