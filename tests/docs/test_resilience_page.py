"""docs/resilience.md: the sixteen faults, each with a model's name that plays it."""

import re
from pathlib import Path

from sluice.sim.script import Script, parse
from tests.faults.conftest import ROUTES

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(
    r"^\| (S\d\d) \|[^|]*\| `(sim[\w-]+)` \|",
    (ROOT / "docs" / "resilience.md").read_text(),
    re.MULTILINE,
)


def test_every_fault_has_its_row() -> None:
    """S01 to S16, in this order, each with a route in the tests."""
    assert [name for name, _ in ROWS] == [f"S{number:02}" for number in range(1, 17)]
    assert {name.partition("-")[0].upper() for name in ROUTES} == {name for name, _ in ROWS}


def test_every_fault_can_be_tried() -> None:
    """The simulated provider understands each name, and does something out of the ordinary."""
    assert all(parse(model) != Script() for _, model in ROWS)
