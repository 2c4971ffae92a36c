"""The file of JSON lines after a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.clock import SystemClock
from sinks.base import Backpressure
from sinks.config import SinkConfig
from sinks.document import document
from sinks.jsonl import JsonLinesSink
from tests.sinks.samples import exchange, request_id


async def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    """What a crash left of a line is removed, and that exchange is stored again, whole."""
    path = tmp_path / "exchanges.jsonl"
    batch = [document(exchange(n), bodies=True, body_limit=1 << 20) for n in range(3)]
    config = SinkConfig(jsonl_path=str(path))
    sink = JsonLinesSink(config, SystemClock())
    await sink.write(batch[:2])
    await sink.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    sink = JsonLinesSink(config, SystemClock())
    await sink.write(batch)
    await sink.close()

    lines = [json.loads(line)["_id"] for line in path.read_bytes().splitlines()]
    assert lines == [request_id(0), request_id(1), request_id(2)]


async def test_a_file_that_cannot_be_written_is_backpressure(tmp_path: Path) -> None:
    """A folder where the file should be is waited for, not died of."""
    path = tmp_path / "exchanges.jsonl"
    path.mkdir()
    sink = JsonLinesSink(SinkConfig(jsonl_path=str(path)), SystemClock())
    with pytest.raises(Backpressure):
        await sink.open()
    path.rmdir()
    await sink.open()
    await sink.close()
