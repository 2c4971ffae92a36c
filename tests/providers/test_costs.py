"""Recorded usage of all vendors, priced by hand: published rates, tokens, and a pocket calculator."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import Raw

from providers.dialects.anthropic.usage import parse_counts, to_usage
from providers.dialects.gemini.usage import parse_usage as gemini
from providers.dialects.openai_chat.usage import parse_usage as chat
from providers.dialects.openai_responses.usage import parse_usage as responses
from providers.pricelist import Query, Wanted, known
from schemas.costs import Cost, priced
from schemas.usage import Usage


class Rates(NamedTuple):
    """Dollars a million tokens as the vendors publish them; None: as the input."""

    input: str
    output: str
    cached: str | None = None
    written: str | None = None
    audio: str | None = None


PUBLISHED = {
    "gpt-4o": Rates("2.50", "10", "1.25"),
    "gpt-4o-mini": Rates("0.15", "0.60", "0.075"),
    "gpt-4.1": Rates("2", "8", "0.50"),
    "gpt-4.1-mini": Rates("0.40", "1.60", "0.10"),
    "gpt-4.1-nano": Rates("0.10", "0.40", "0.025"),
    "gpt-5": Rates("1.25", "10", "0.125"),
    "gpt-5-mini": Rates("0.25", "2", "0.025"),
    "gpt-5-pro": Rates("15", "120"),
    "gpt-5.2": Rates("1.75", "14", "0.175"),
    "gpt-5.4": Rates("2.50", "15", "0.25"),
    "gpt-5.4-mini": Rates("0.75", "4.50", "0.075"),
    "o3-mini": Rates("1.10", "4.40", "0.55"),
    "o4-mini": Rates("1.10", "4.40", "0.275"),
    "claude-sonnet-4-0": Rates("3", "15", "0.30", "3.75"),
    "claude-sonnet-4-5": Rates("3", "15", "0.30", "3.75"),
    "claude-sonnet-4-6": Rates("3", "15", "0.30", "3.75"),
    "claude-opus-4-6": Rates("5", "25", "0.50", "6.25"),
    "claude-opus-4-8": Rates("5", "25", "0.50", "6.25"),
    "claude-haiku-4-5": Rates("1", "5", "0.10", "1.25"),
    "gemini-2.0-flash": Rates("0.10", "0.40", "0.025", audio="0.70"),
    "gemini-2.5-flash": Rates("0.30", "2.50", "0.03", audio="1"),
    "gemini-2.5-pro": Rates("1.25", "10", "0.125"),
    "gemini-3-flash-preview": Rates("0.50", "3", "0.05", audio="1"),
    "gemini-3-pro-preview": Rates("2", "12", "0.20"),
    "openai/gpt-oss-120b": Rates("0.15", "0.60", "0.075"),
    "llama-3.3-70b-versatile": Rates("0.59", "0.79"),
    "meta-llama/llama-4-scout-17b-16e-instruct": Rates("0.11", "0.34"),
    "meta-llama/llama-4-maverick-17b-128e-instruct": Rates("0.20", "0.60"),
    "gpt-oss-120b": Rates("0.35", "0.75"),
    "zai-glm-4.7": Rates("2.25", "2.75"),
    "glm-4.7": Rates("0.60", "2.20", "0.11"),
    "mistral-small-latest": Rates("0.15", "0.60", "0.015"),
    "mistral-medium-latest": Rates("1.50", "7.50", "0.15"),
}
URLS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "groq": "https://api.groq.com/openai/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "zai": "https://api.z.ai/api/paas/v4",
    "mistral": "https://api.mistral.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
AT = datetime(2026, 11, 1, tzinfo=UTC)
Block = dict[str, Any]


class Recorded(NamedTuple):
    """One usage block."""

    vendor: str
    model: str
    form: str  # chat, responses, anthropic, gemini
    usage: Block


def blocks(shared_dir: Path) -> Iterator[Recorded]:
    for path in sorted((shared_dir / "recordings").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            form = form_of(row["url"])
            if path.stem not in URLS or row["status"] != 200 or form is None:
                continue
            if (usage := usage_in(row["response"])) is not None:
                asked = row["request"] if isinstance(row["request"], dict) else {}
                named = re.findall(r"/models/([^:]+):", row["url"])
                yield Recorded(path.stem, asked.get("model") or (named or [""])[0], form, usage)


def form_of(url: str) -> str | None:
    for end, form in (
        (r"/chat/completions$", "chat"),
        (r"/v1/responses$", "responses"),
        (r"/v1/messages(\?.*)?$", "anthropic"),
        (r":(stream)?[gG]enerateContent(\?.*)?$", "gemini"),
    ):
        if re.search(end, url):
            return form
    return None


def usage_in(answer: Any) -> Block | None:
    """The usage of a whole answer, or all that the events of a stream say of it, the last word counting."""
    if isinstance(answer, dict):
        return answer.get("usage") or answer.get("usageMetadata")
    found: Block = {}
    for line in str(answer).splitlines():
        if line.startswith("data: {"):
            event = json.loads(line[6:])
            for place in (event, event.get("response") or {}, event.get("message") or {}):
                found |= place.get("usage") or place.get("usageMetadata") or {}
    return found or None


# -- by hand


def by_hand(block: Recorded) -> int | None:
    """Nano-dollars; None: we have written down no rates of that model."""
    usage = block.usage
    if "cost" in usage:
        return round(Fraction(repr(usage["cost"])) * 10**9)
    rates = PUBLISHED.get(block.model)
    if rates is None or block.vendor == "openrouter":
        return None
    tokens = COUNTED[block.form](usage)
    fresh, cached, written, audio, out = tokens
    into = (
        fresh * each(rates.input)
        + cached * each(rates.cached or rates.input)
        + written * each(rates.written or rates.input)
        + audio * each(rates.audio or rates.input)
    )
    return round(into) + round(out * each(rates.output))


def each(dollars: str) -> Fraction:
    """Nano-dollars a token."""
    return Fraction(dollars) * 1000


def of_chat(usage: Block) -> tuple[int, int, int, int, int]:
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or usage.get("num_cached_tokens") or 0
    audio = details.get("audio_tokens") or 0
    return usage["prompt_tokens"] - cached - audio, cached, 0, audio, usage["completion_tokens"]


def of_responses(usage: Block) -> tuple[int, int, int, int, int]:
    cached = usage["input_tokens_details"]["cached_tokens"]
    return usage["input_tokens"] - cached, cached, 0, 0, usage["output_tokens"]


def of_anthropic(usage: Block) -> tuple[int, int, int, int, int]:
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    assert not usage.get("cache_creation", {}).get("ephemeral_1h_input_tokens")
    return usage["input_tokens"], read, written, 0, usage["output_tokens"]


def of_gemini(usage: Block) -> tuple[int, int, int, int, int]:
    cached = usage.get("cachedContentTokenCount", 0)
    parts = {e["modality"]: e.get("tokenCount", 0) for e in usage.get("promptTokensDetails", [])}
    audio = parts.get("AUDIO", 0)
    into = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    out = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    return into - cached - audio, cached, 0, audio, out


COUNTED: dict[str, Callable[[Block], tuple[int, int, int, int, int]]] = {
    "chat": of_chat,
    "responses": of_responses,
    "anthropic": of_anthropic,
    "gemini": of_gemini,
}


# -- as the gateway does it


def understood(block: Recorded) -> Usage | None:
    raw = Raw(msgspec.json.encode(block.usage))
    if block.form == "anthropic":
        return to_usage(parse_counts(raw))
    return {"chat": chat, "responses": responses, "gemini": gemini}[block.form](raw)


@pytest.fixture(scope="module")
def recorded(shared_dir: Path) -> list[Recorded]:
    return list(blocks(shared_dir))


def test_recorded_usage_costs_what_the_published_rates_make_it(recorded: list[Recorded]) -> None:
    """At least 150 blocks of eight vendors and in four dialects, equal to the nano-dollar."""
    wanted = {
        vendor: Wanted(url, None, sorted({b.model for b in recorded if b.vendor == vendor}))
        for vendor, url in URLS.items()
    }
    prices = known(Query(AT, wanted))
    seen: Counter[tuple[str, str]] = Counter()
    wrong = []
    for block in recorded:
        if (expected := by_hand(block)) is None:
            continue
        seen[block.vendor, block.form] += 1
        metadata, usage = prices[block.vendor].get(block.model), understood(block)
        assert usage is not None
        rates = metadata.pricing if metadata is not None else msgspec.UNSET
        cost = priced(usage, None if rates is msgspec.UNSET else rates)
        if cost is None or cost.total != expected:
            wrong.append((block, cost, expected))

    assert wrong == []
    assert seen.total() >= 150, seen
    assert {vendor for vendor, _ in seen} == set(URLS)
    assert {form for _, form in seen} == set(COUNTED)


def test_the_provider_that_reports_its_cost_is_believed(recorded: list[Recorded]) -> None:
    """Every recorded answer with a `cost` is priced by it, whatever the list says."""
    told = [block for block in recorded if "cost" in block.usage]
    costs = [priced(usage, None) for block in told if (usage := understood(block)) is not None]

    assert len(told) >= 20
    assert {type(cost) for cost in costs} == {Cost}
    assert {cost.source for cost in costs if cost is not None} == {"provider"}
