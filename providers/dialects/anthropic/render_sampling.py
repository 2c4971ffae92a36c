"""What steers the choice of words, and what the API has nothing like.

Left out harmlessly is what only nudges words or costs: the answer still answers the same question.
A temperature above 1 is one of these, since each provider has a scale of its own. What a caller would
miss in the answer, or what bans words, changes the meaning.
"""

from __future__ import annotations

from msgspec import Raw

from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.dialects.anthropic.blocks import DIALECT
from providers.dialects.anthropic.models import Abilities
from providers.dialects.anthropic.write_blocks import Block

# Words of other dialects for service tiers: https://platform.claude.com/docs/en/api/service-tiers
_TIERS = {
    "auto": "auto",
    "standard_only": "standard_only",
    "default": "standard_only",
    "priority": "auto",
}
_LEAST_TOP_P = 0.95  # of a model that thinks

_HARMLESS = (
    "seed",  # promises no more than an effort to repeat itself
    "frequency_penalty",
    "presence_penalty",
    "prediction",  # makes an answer faster, not another
    "verbosity",  # a wish for more or fewer words
    "prompt_cache_key",
    "metadata",  # labels for the provider's records
    "store",
    "audio",  # how a sound would be, which `modalities` ask for
)
_MEANINGFUL = {
    "logit_bias": "it cannot ban or force words",
    "logprobs": "it gives no log probabilities",
    "top_logprobs": "it gives no log probabilities",
}


def render_sampling(chat: ChatRequest, able: Abilities, notes: Notes, *, thinks: bool) -> Block:
    """The members of a request that steer the choice of words.

    A model that thinks takes no temperature but 1, no top_k, and a top_p from 0.95 on:
    https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility
    """
    found: Block = {}
    temperature, top_p = chat.temperature, chat.top_p
    if temperature is not None and temperature > 1:
        notes.harmless("temperature")
        temperature = 1.0
    if temperature is not None and (able.sampling or temperature != 1):
        _say(found, "temperature", temperature, notes, taken=not thinks or temperature == 1)
    if top_p is not None and top_p != 1:
        alone = able.sampling_together or temperature is None
        _say(found, "top_p", top_p, notes, taken=alone and (not thinks or top_p >= _LEAST_TOP_P))
    if chat.top_k is not None:
        _say(found, "top_k", chat.top_k, notes, taken=not thinks)
    if not able.sampling:
        for name in found:
            notes.harmless(name)
        return {}
    return found


def _say(found: Block, name: str, value: object, notes: Notes, *, taken: bool) -> None:
    if taken:
        found[name] = value
    else:
        notes.harmless(name)


def render_stop(chat: ChatRequest, notes: Notes) -> list[str]:
    """Sequences of white space alone are refused."""
    found = [stop for stop in chat.stop if stop.strip()]
    if len(found) < len(chat.stop):
        notes.meaningful("stop", "it takes no stop sequence of white space alone")
    return found


def render_user(chat: ChatRequest, notes: Notes) -> str | None:
    if chat.safety_identifier is None:
        return chat.user
    if chat.user is not None:
        notes.harmless("user")
    return chat.safety_identifier


def render_tier(chat: ChatRequest, notes: Notes) -> str | None:
    if chat.service_tier is None:
        return None
    if (word := _TIERS.get(chat.service_tier)) is None:
        notes.harmless("service_tier")
    return word


def note_the_rest(chat: ChatRequest, notes: Notes) -> None:
    """Everything that a request may say and this dialect has no word for."""
    for name in _HARMLESS:
        if not _says_nothing(getattr(chat, name)):
            notes.harmless(name)
    for name, why in _MEANINGFUL.items():
        if not _says_nothing(getattr(chat, name)):
            notes.meaningful(name, why)
    if chat.n not in (None, 1):
        notes.meaningful("n", "it gives one answer a request")
    if others := [modality for modality in chat.modalities if modality != "text"]:
        notes.meaningful("modalities", f"its models do not make {', '.join(others)}")
    for name in () if chat.dialect == DIALECT else chat.extra:
        notes.unknown(name)


def _says_nothing(value: object) -> bool:
    if isinstance(value, Raw):
        return bytes(value) in (b"null", b"{}")
    return value is None or value == 0
