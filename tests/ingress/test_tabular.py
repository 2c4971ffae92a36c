"""Rows as CSV."""

from __future__ import annotations

import csv
import io

from ingress.tabular import lines


def test_rows_come_back() -> None:
    """What a CSV reader reads is what was written: quotes, lines and commas in it, nested names joined."""
    rows = [
        {"a": 'x,"y"\n', "b": None, "c": {"d": 1.5, "e": True}},
        {"a": "ä", "b": 2, "c": {"d": None, "e": False}, "f": [1, 2]},
    ]

    found = list(csv.DictReader(io.StringIO(lines(rows).decode(), newline="")))

    assert found == [
        {"a": 'x,"y"\n', "b": "", "c.d": "1.5", "c.e": "true", "f": ""},
        {"a": "ä", "b": "2", "c.d": "", "c.e": "false", "f": "1 2"},
    ]


def test_no_cell_is_a_formula() -> None:
    """A name that a spreadsheet would run is text in it; numbers stay numbers."""
    text = lines([{"model": "=HYPERLINK(1)", "delta": -1}]).decode()

    assert text == "model,delta\r\n'=HYPERLINK(1),-1\r\n"
