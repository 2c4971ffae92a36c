"""Token counts: https://ai.google.dev/api/generate-content#UsageMetadata.

The prompt's count includes what was cached, but not what server tools put in (`toolUsePrompt…`), and
the candidates' count leaves out the thoughts.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from schemas.usage import Usage

_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode
_PROMPT, _TOOLS = "promptTokenCount", "toolUsePromptTokenCount"
_CACHED, _THOUGHTS = "cachedContentTokenCount", "thoughtsTokenCount"
_CANDIDATES, _TOTAL = "candidatesTokenCount", "totalTokenCount"
# Where a count by modality of another dialect belongs.
_MODALITIES = {
    "prompt_tokens_details.audio_tokens": ("promptTokensDetails", "AUDIO"),
    "prompt_tokens_details.image_tokens": ("promptTokensDetails", "IMAGE"),
    "prompt_tokens_details.text_tokens": ("promptTokensDetails", "TEXT"),
    "input_tokens_details.audio_tokens": ("promptTokensDetails", "AUDIO"),
    "completion_tokens_details.audio_tokens": ("candidatesTokensDetails", "AUDIO"),
    "completion_tokens_details.image_tokens": ("candidatesTokensDetails", "IMAGE"),
    "completion_tokens_details.text_tokens": ("candidatesTokensDetails", "TEXT"),
    "output_tokens_details.audio_tokens": ("candidatesTokensDetails", "AUDIO"),
}
_LISTS = frozenset(
    {
        *("promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails"),
        "toolUsePromptTokensDetails",
    }
)


def parse_usage(raw: Raw) -> Usage | None:
    """The counts in a `usageMetadata` member; None for what is no object or holds none."""
    try:
        counts = dict(_counts(_decode(raw)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not counts:
        return None
    thoughts = counts.pop(_THOUGHTS, 0)
    found = Usage(
        input_tokens=counts.pop(_PROMPT, 0) + counts.get(_TOOLS, 0),
        output_tokens=counts.pop(_CANDIDATES, 0) + thoughts,
        cached_input_tokens=counts.pop(_CACHED, 0),
        reasoning_tokens=thoughts,
        details=counts,
    )
    if counts.get(_TOTAL) == found.total_tokens:
        del counts[_TOTAL]  # says nothing more; a total that differs stays
    return found


def _counts(members: dict[str, object]) -> Iterator[tuple[str, int]]:
    """Every count under its name, those of a modality as `promptTokensDetails.IMAGE`."""
    for name, value in members.items():
        if isinstance(value, int) and not isinstance(value, bool):
            yield name, value
        elif isinstance(value, list):
            for entry in value:
                if isinstance(entry, dict) and isinstance(count := entry.get("tokenCount"), int):
                    yield f"{name}.{entry.get('modality', 'MODALITY_UNSPECIFIED')}", count


def write_usage(usage: Usage, service_tier: str | None = None) -> Raw:
    """A `usageMetadata` member."""
    tools = usage.details.get(_TOOLS, 0)
    found: dict[str, object] = {
        _PROMPT: max(0, usage.input_tokens - tools),
        _CANDIDATES: max(0, usage.output_tokens - usage.reasoning_tokens),
        _TOTAL: usage.details.get(_TOTAL, usage.total_tokens),
    }
    if usage.cached_input_tokens:
        found[_CACHED] = usage.cached_input_tokens
    if usage.reasoning_tokens:
        found[_THOUGHTS] = usage.reasoning_tokens
    if tools:
        found[_TOOLS] = tools
    for place, modalities in _by_modality(usage.details).items():
        found[place] = [{"modality": key, "tokenCount": n} for key, n in modalities.items()]
    if service_tier is not None:
        found["serviceTier"] = service_tier
    return Raw(_encode(found))


def _by_modality(details: dict[str, int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, count in details.items():
        place, dot, modality = name.partition(".")
        if not (dot and place in _LISTS):
            place, modality = _MODALITIES.get(name, ("", ""))
        if place and (count or name not in _MODALITIES):
            found.setdefault(place, {})[modality] = count
    return found


class _Tier(msgspec.Struct, rename="camel"):
    service_tier: str | None = None


_decode_tier = msgspec.json.Decoder(_Tier).decode


def tier(raw: Raw) -> str | None:
    """OpenAI's word for the tier that counts were made in."""
    if b"serviceTier" not in bytes(raw):
        return None
    try:
        found = (_decode_tier(raw).service_tier or "").lower()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return "default" if found == "standard" else found or None
