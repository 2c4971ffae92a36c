"""Every scenario of GoModel's release tests is tested here, or said not to be there yet."""

import re

import pytest

from tests.services import ROOT

HERE = ROOT / "tests" / "gomodel"
NUMBERS = [f"GM-S{number:02}" for number in range(1, 90)]
KINDS = ("same", "differs: ", "not in it yet: ")


def table() -> dict[str, str]:
    """What docs/gomodel.md says of each scenario."""
    page = (ROOT / "docs" / "gomodel.md").read_text()
    rows = re.findall(r"^\| (GM-S\d+) \| .+ \| (.+) \|$", page, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a number stands there twice"
    return dict(rows)


def numbered() -> set[str]:
    """The numbers in the names of tests."""
    names = [
        name
        for path in HERE.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    ]
    return {f"GM-S{number}" for name in names for number in re.findall(r"gm_s(\d\d)", name)}


def test_every_scenario_is_in_the_table() -> None:
    """All numbers in their order, each with what becomes of it here."""
    found = table()

    assert list(found) == NUMBERS
    assert [number for number, here in found.items() if not here.startswith(KINDS)] == []


@pytest.mark.parametrize("number", NUMBERS)
def test_a_scenario_is_tested_unless_it_is_not_there(number: str) -> None:
    """What is the same, and what differs, has a test of its number; what has one is there."""
    absent = table()[number].startswith("not in it yet")

    assert (number in numbered()) is not absent
