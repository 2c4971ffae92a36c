"""What a model takes, by its name."""

import pytest

from providers.dialects.anthropic.models import abilities


@pytest.mark.parametrize(
    ("model", "adaptive", "budget", "sampling", "schema", "forced", "later", "off"),
    [
        ("claude-3-5-sonnet-20241022", False, False, True, False, True, False, "disabled"),
        ("claude-3-7-sonnet-latest", False, True, True, False, True, False, "disabled"),
        ("claude-sonnet-4-0", False, True, True, False, True, False, "disabled"),
        ("claude-opus-4-20250514", False, True, True, False, True, False, "disabled"),
        ("claude-opus-4-1-20250805", False, True, True, False, True, False, "disabled"),
        ("claude-sonnet-4-5-20250929", False, True, True, True, True, False, "disabled"),
        ("anthropic/claude-opus-4.6", True, True, True, True, True, False, "disabled"),
        ("claude-opus-4-7", True, False, False, True, True, False, "disabled"),
        ("claude-opus-4-8[1m]", True, False, False, True, True, True, "disabled"),
        ("claude-sonnet-5", True, False, False, True, True, False, "disabled"),
        ("claude-sonnet-5-5", True, False, False, True, False, True, "between_tools"),
        ("claude-opus-5-5", True, False, False, True, False, True, None),
        ("claude-fable-5", True, False, False, True, True, False, None),
        ("claude-haiku-4-5", False, True, True, True, True, False, "disabled"),
        ("claude-haiku-5-5", True, False, False, True, True, True, "disabled"),
        ("glm-4.6", False, True, True, False, True, False, "disabled"),
    ],
)
def test_abilities(
    model: str,
    adaptive: bool,
    budget: bool,
    sampling: bool,
    schema: bool,
    forced: bool,
    later: bool,
    off: str | None,
) -> None:
    """Each generation has its own, also under a router's name, with a date or a suffix."""
    able = abilities(model)
    found = (able.adaptive, able.budget, able.sampling, able.schema, able.forced_tool)
    assert found == (adaptive, budget, sampling, schema, forced)
    assert (able.system_later, able.off) == (later, off)


def test_the_highest_efforts() -> None:
    """4.6 has `max`, later ones have `xhigh`, too."""
    assert abilities("claude-opus-4-6").highest == ("max",)
    assert abilities("claude-opus-4-7").highest == ("xhigh", "max")
    assert abilities("claude-opus-4-5").highest == ()
