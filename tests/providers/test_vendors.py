"""Rows and quirks."""

import msgspec
import pytest
from msgspec import Raw

from providers import DIALECTS
from providers.vendors import VENDORS, Urls, azure_urls, completion_tokens_for_reasoning

RESOURCE = "https://r.openai.azure.com"


def test_rows() -> None:
    """Every row speaks a known dialect, and its name can stand before a model and in a variable."""
    assert list(VENDORS) == [row.name for row in VENDORS.values()]
    for row in VENDORS.values():
        assert row.dialect in DIALECTS
        assert row.name.isalnum()
        assert row.name.islower()
        assert row.base_url is None or not row.base_url.endswith("/")


@pytest.mark.parametrize(
    ("base_url", "version", "urls"),
    [
        (
            f"{RESOURCE}/openai/v1",
            None,
            Urls(f"{RESOURCE}/openai/v1/chat/completions", f"{RESOURCE}/openai/v1/models"),
        ),
        (
            f"{RESOURCE}/openai/v1",
            "preview",
            Urls(
                f"{RESOURCE}/openai/v1/chat/completions?api-version=preview",
                f"{RESOURCE}/openai/v1/models?api-version=preview",
            ),
        ),
        (
            RESOURCE,
            None,
            Urls(f"{RESOURCE}/openai/v1/chat/completions", f"{RESOURCE}/openai/v1/models"),
        ),
        (
            f"{RESOURCE}/openai",
            "2025-01-01",
            Urls(
                f"{RESOURCE}/openai/deployments/{{model}}/chat/completions?api-version=2025-01-01",
                f"{RESOURCE}/openai/models?api-version=2025-01-01",
            ),
        ),
        (
            f"{RESOURCE}/openai/deployments/d",
            None,
            Urls(
                f"{RESOURCE}/openai/deployments/d/chat/completions?api-version=2024-10-21",
                f"{RESOURCE}/openai/models?api-version=2024-10-21",
            ),
        ),
    ],
)
def test_azure_urls(base_url: str, version: str | None, urls: Urls) -> None:
    """The v1 API needs no version; a deployment in the URL, or a version, means the dated API."""
    assert azure_urls(base_url, version) == urls


@pytest.mark.parametrize(
    ("model", "renamed"),
    [
        ("o1", True),
        ("o3-mini", True),
        ("gpt-5", True),
        ("gpt-5-mini", True),
        ("gpt-5.2", True),
        ("gpt-5-chat-latest", False),
        ("gpt-50", False),
        ("gpt-4o", False),
        ("omni", False),
    ],
)
def test_completion_tokens(model: str, renamed: bool) -> None:
    """Reasoning models get their limit under the name that they take, others under their own."""
    given = {"max_tokens": Raw(b"5"), "model": Raw(b'"x"')}
    got = completion_tokens_for_reasoning(given, model)
    assert msgspec.json.decode(msgspec.json.encode(given)) == {"max_tokens": 5, "model": "x"}
    if renamed:
        assert msgspec.json.decode(msgspec.json.encode(got)) == {
            "model": "x",
            "max_completion_tokens": 5,
        }
    else:
        assert got is given


def test_completion_tokens_given_already() -> None:
    """A limit under the new name is the caller's own and stays; without any limit nothing changes."""
    both = {"max_tokens": Raw(b"5"), "max_completion_tokens": Raw(b"7")}
    assert completion_tokens_for_reasoning(both, "o3") == {"max_completion_tokens": Raw(b"7")}
    none = {"model": Raw(b'"o3"')}
    assert completion_tokens_for_reasoning(none, "o3") is none
