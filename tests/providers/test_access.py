"""Allow-lists by user path."""

import pytest

from providers.access import Access

OVERRIDES = {
    "/": ("/staff",),
    "gpt-4o": ("/models",),
    "openai/": ("/openai",),
    "openai/gpt-4o": ("/exact", "/exact-too/"),
}


@pytest.mark.parametrize(
    ("instance", "model", "user_path", "allowed"),
    [
        ("openai", "gpt-4o", "/exact", True),
        ("openai", "gpt-4o", "/exact/below/it", True),
        ("openai", "gpt-4o", "/exact-too/x", True),
        ("openai", "gpt-4o", "/exactly", False),
        ("openai", "gpt-4o", "/openai", False),
        ("openai", "o3", "/openai", True),
        ("openai", "o3", "/models", False),
        ("groq", "gpt-4o", "/models", True),
        ("groq", "gpt-4o", "/staff", False),
        ("groq", "llama", "/staff/ann", True),
        ("groq", "llama", "/", False),
    ],
)
def test_precedence(instance: str, model: str, user_path: str, allowed: bool) -> None:
    """The most exact selector decides alone: instance and model, instance, model, everything."""
    for default in (True, False):
        assert Access(default, OVERRIDES).allows(instance, model, user_path) is allowed


@pytest.mark.parametrize("default", [True, False])
def test_without_a_selector(default: bool) -> None:
    """What nothing selects follows the default."""
    access = Access(default, {"groq/": ("/a",)})
    assert access.allows("openai", "gpt-4o", "/b") is default
    assert not access.open
    assert Access(default, {}).open is default


def test_the_root_path_is_everybody() -> None:
    """`/` as a user path lets all in."""
    access = Access(False, {"openai/": ("/",)})
    assert access.allows("openai", "gpt-4o", "/any/body")
    assert access.allows("openai", "gpt-4o", "/")
