"""docs/routing.md and config.example.yaml: what they show can be used, and what can be used is shown."""

import re
import textwrap
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from schemas.requests import Request
from sluice.settings import configs, load
from streams.routing.config import Recovery, RoutingConfig, Rule, Strategy, Trigger
from streams.routing.facts import FACTS, facts
from streams.routing.rules import Rules

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "routing.md").read_text()


def configured(text: str, folder: Path) -> RoutingConfig:
    (folder / "config.yaml").write_text(text)
    return configs.routing_config(load({}, folder))


def first_cells(heading: str) -> list[str]:
    """The first words of a table's rows."""
    section = PAGE.partition(f"{heading}\n")[2].partition("\n#")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def chosen(config: RoutingConfig, **body: object) -> str | None:
    content = {"messages": [{"role": "user", "content": "hi"}], **body}
    request = Request(request_id="r", body=msgspec.json.encode(content))
    found = Rules(config.rules).first(
        facts(request, str(body["model"]), stream=False, now=12 * 3600.0)
    )
    return found.name if found else None


def test_the_pages_rules_can_be_used(tmp_path: Path) -> None:
    """Each holds for a request that it is meant for."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    config = configured(textwrap.dedent(block), tmp_path)

    assert chosen(config, model="auto") == "light"
    assert chosen(config, model="auto", tools=[{}]) == "heavy"
    assert chosen(config, model="x", metadata={"tier": "gold"}) == "gold"
    assert chosen(config, model="x") is None
    assert config.rules[2].fallback_on == ("context_length", "content_filter")
    assert config.fallbacks == {"openai/gpt-5": ("azure/gpt-5", "anthropic/claude-opus-4-5")}


def test_the_example_sends_light_requests_to_the_fast_model(tmp_path: Path) -> None:
    """And heavy ones to the strong one, by length, tools, pictures and turns."""
    config = configured((ROOT / "config.example.yaml").read_text(), tmp_path)
    long = [{"role": "user", "content": "word " * 3000}]
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]

    assert chosen(config, model="auto") == "light"
    for heavy in ({"tools": [{}]}, {"messages": long}, {"messages": picture}):
        assert chosen(config, model="auto", **heavy) == "heavy"
    assert chosen(config, model="sim-echo") is None


def test_the_tables_are_complete() -> None:
    """Every fact, key, strategy, trigger and recovery has its row, and none that is not there."""
    assert first_cells("### What a condition may ask") == list(FACTS)
    keys = first_cells("## From a name to candidates")
    assert sorted(keys) == sorted(Rule.__struct_fields__)
    assert first_cells("### Strategies") == list(get_args(Strategy))
    assert sorted(first_cells("### Fallbacks")) == sorted(get_args(Trigger))
    assert first_cells("### Streams that break off")[1:] == list(get_args(Recovery))


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("routing: {rules: [{name: a}]}", "routing.rules, rule 1: Object missing required field"),
        ("routing: {rules: [{use: []}]}", "`use` names models"),
        ("routing: {rules: [{use: a, strategy: best}]}", "Invalid enum value 'best'"),
        ("routing: {rules: [{use: a, name: x}, {use: a, name: x}]}", "is there once"),
        ("routing: {rules: [{use: a, fallback_on: often}]}", "Invalid enum value 'often'"),
        ("routing: {rules: [{use: a, if: x}]}", "unknown field `if`"),
        ("routing: {fallbacks: {a: {b: c}}}", "routing.fallbacks"),
        ("fallback: {overrides: {m: {mode: maybe}}}", "fallback.overrides.m"),
        ("providers: {sim: {resilience: {retry: {max_backoff: long}}}}", "not a duration"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, yaml: str, problem: str) -> None:
    """With the place where it stands."""
    with pytest.raises(Exception, match=re.escape(problem)):
        configured(yaml, tmp_path)


def test_gomodels_file_of_fallbacks(tmp_path: Path) -> None:
    """It counts beside config.yaml; one that cannot be read stops the start."""
    (tmp_path / "rules.json").write_text('{"a": ["b", "c/d"]}')
    (tmp_path / "config.yaml").write_text("routing: {fallbacks: {x: [y], a: z}}")
    path = str(tmp_path / "rules.json")
    settings = load({"FALLBACK_MANUAL_RULES_PATH": path}, tmp_path)

    assert configs.routing_config(settings).fallbacks == {"x": ("y",), "a": ("b", "c/d")}
    (tmp_path / "rules.json").write_text('{"a": "b"}')
    with pytest.raises(Exception, match="is no table of lists of models"):
        load({"FALLBACK_MANUAL_RULES_PATH": path}, tmp_path)
    with pytest.raises(Exception, match="cannot be read"):
        load({"FALLBACK_MANUAL_RULES_PATH": "gone.json"}, tmp_path)


def test_limits_and_patience_of_one_instance(tmp_path: Path) -> None:
    """Calls at once by variable, retries and breakers in GoModel's words."""
    (tmp_path / "config.yaml").write_text(
        "providers: {one: {type: openai, api_key: k, max_concurrency: 3, resilience:"
        " {retry: {max_retries: 1, initial_backoff: 2s}, circuit_breaker: {timeout: 5}}}}"
    )
    config = configs.routing_config(load({}, tmp_path))

    assert config.max_concurrency == {"one": 3}
    assert (config.retries["one"].max_retries, config.retries["one"].initial_backoff) == (1, 2.0)
    assert (config.breakers["one"].timeout, config.breakers["one"].failure_threshold) == (5.0, 5)
