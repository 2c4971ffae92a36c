"""What the genai-prices package knows, and the process in which it is asked."""

import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest

from providers.instances import Instance, make_instance
from providers.knowledge import known_of
from providers.pricelist import Query, Wanted, known
from providers.vendors import VENDORS
from schemas.prices import Metadata, Pricing

AT = datetime(2026, 1, 1, tzinfo=UTC)


def asked(url: str, vendor: str | None, *models: str) -> dict[str, Metadata]:
    return known(Query(AT, {"it": Wanted(url, vendor, list(models))}))["it"]


def pricing(metadata: Metadata) -> Pricing:
    assert isinstance(metadata.pricing, Pricing)
    return metadata.pricing


def test_prices() -> None:
    """Rates in dollars for a million tokens, the context window and a title."""
    found = asked("https://api.openai.com/v1", None, "gpt-4o-mini", "no-such-model")
    assert found.keys() == {"gpt-4o-mini"}
    assert found["gpt-4o-mini"].context_window == 128_000
    rates = pricing(found["gpt-4o-mini"])
    assert (rates.currency, rates.input_per_mtok, rates.output_per_mtok) == ("USD", 0.15, 0.6)
    assert rates.cached_input_per_mtok == 0.075


def test_a_dated_name_has_the_prices_of_its_model() -> None:
    """Some lists have a snapshot's date that the package does not know."""
    found = asked("https://api.anthropic.com/v1", "anthropic", "claude-sonnet-4-5-20250929")
    assert pricing(found["claude-sonnet-4-5-20250929"]).input_per_mtok == 3.0


def test_tiers() -> None:
    """Rates by length of the input, the base's first; the last tier has no end."""
    found = asked("https://generativelanguage.googleapis.com/v1beta", "google", "gemini-2.5-pro")
    short, long = pricing(found["gemini-2.5-pro"]).tiers
    assert (short.up_to_mtok, short.input_per_mtok) == (0.2, 1.25)
    assert (long.up_to_mtok, long.input_per_mtok) == (None, 2.5)


def test_whose_prices() -> None:
    """The address decides; at an unknown one the vendor does, if it sells its own models."""
    assert asked("https://my-proxy.example/v1", "anthropic", "claude-sonnet-4-5")
    assert asked("https://my-proxy.example/v1", None, "gpt-4o") == {}
    assert asked("https://my-proxy.example/v1", "nobody", "gpt-4o") == {}
    assert asked("https://api.groq.com/openai/v1", None, "openai/gpt-oss-120b")


def test_the_program() -> None:
    """It answers on its output what it was asked on its input."""
    query = msgspec.json.encode(Query(AT, {"o": Wanted("https://api.openai.com/v1", None, ["o3"])}))
    done = subprocess.run(
        [sys.executable, "-m", "providers.pricelist"], input=query, capture_output=True, check=True
    )
    answer = msgspec.json.decode(done.stdout, type=dict[str, dict[str, Metadata]])
    assert pricing(answer["o"]["o3"]).input_per_mtok == 2.0


def instance(name: str, base_url: str) -> Instance:
    return make_instance(VENDORS[name], name, base_url)


async def test_asked_in_a_process_of_its_own() -> None:
    """The package never comes into this process's memory by asking it so."""
    found = await known_of(
        [instance("openai", "https://api.openai.com/v1"), instance("vllm", "http://gpu:8000/v1")],
        {"openai": ["o3"], "vllm": ["o3"]},
        AT.timestamp(),
    )
    assert found is not None
    assert found.keys() == {"openai"}
    assert found["openai"]["o3"].display_name == "o3"


@pytest.mark.parametrize(
    ("executable", "expected"), [("/nonexistent/python", None), ("/bin/false", None)]
)
async def test_without_it_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, executable: str, expected: None
) -> None:
    """A price list that cannot be asked takes nothing away and ends nothing."""
    monkeypatch.setattr(sys, "executable", executable)
    openai = instance("openai", "https://api.openai.com/v1")
    assert await known_of([openai], {"openai": ["o3"]}, 0.0) is expected


async def test_nobody_is_asked_of_ones_own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only plain HTTP is, no process is started."""
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert await known_of([instance("vllm", "http://gpu/v1")], {"vllm": ["o3"]}, 0.0) == {}
    assert await known_of([instance("openai", "https://api.openai.com/v1")], {}, 0.0) == {}
