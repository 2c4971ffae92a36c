"""guardrails.rules of config.yaml."""

from sluice.settings.faults import Faults
from sluice.settings.guardrail_rules import understood


def test_rules_as_gomodel_writes_them() -> None:
    """A table named after the type, or `config`; all scalars are texts; what is wrong is named."""
    rules = [
        {"name": "a", "type": "system_prompt", "order": "2", "system_prompt": {"content": "Hi"}},
        {"name": "b", "type": "llm_based_altering", "config": {"model": "m", "max_tokens": "9"}},
        {"name": "c", "type": "regex", "regex": {"patterns": ["("]}},
        {"name": "d", "type": "none"},
        {"name": "e", "type": "pii", "pii": {"entity": "x"}},
    ]
    faults = Faults("config.yaml", [], [])
    found = understood({"guardrails": {"rules": rules}}, faults)
    assert {name: step for name, (step, _) in found.items()} == {"a": 2, "b": 0}
    assert b'"max_tokens":9' in bytes(found["b"][1].config)
    assert [each.partition(": ")[0] for each in faults.problems] == [
        f"config.yaml key guardrails.rules[{number}]" for number in (2, 3, 4)
    ]
