"""`sluice export`: everything that is stored, in pages, and on from where it was broken off."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from schemas.clock import SystemClock, rfc3339
from sinks.config import SinkConfig
from sinks.document import document
from sinks.sqlite import SQLiteSink
from sluice.cli import main
from sluice.operations import exporting
from tests.sinks.samples import BEGIN, exchange, request_id

COUNT = 25


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a SQLite store of exchanges of two models, a second apart, two at a time."""
    monkeypatch.setenv("SLUICE_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exporting, "PAGE", 4)
    found = [
        exchange(
            number,
            at=BEGIN + number // 2,
            user_path="/a/b" if number % 3 else "/c",
            client=f"key-{number % 2}",
        )
        for number in range(COUNT)
    ]

    async def fill() -> None:
        config = SinkConfig(sqlite_path=str(tmp_path / "sluice.db"), retention_days=0)
        sink = SQLiteSink(config, SystemClock())
        await sink.write([document(each, bodies=True, body_limit=1 << 20) for each in found])
        await sink.close()

    asyncio.run(fill())
    return tmp_path


def export(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["export", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def ids(text: bytes) -> list[str]:
    return [msgspec.json.decode(line)["_id"] for line in text.splitlines()]


def expected(*numbers: int) -> list[str]:
    return [request_id(number) for number in numbers or range(COUNT)]


def test_everything_is_written_once_the_oldest_first(store: Path) -> None:
    """Over many pages, with both bodies, also where two have the same time."""
    export("-o", "all.jsonl")
    written = (store / "all.jsonl").read_bytes()
    assert ids(written) == expected()
    assert b"Hello yourself" in written.splitlines()[0]


def test_filters_hold_together(store: Path) -> None:
    """Time, model, user path with what is below it, and key."""
    numbers = [n for n in range(4, 20) if n % 3 and n % 2]
    export(
        *("--from", rfc3339(BEGIN + 2), "--to", rfc3339(BEGIN + 10), "--model", "sim-1"),
        *("--user-path", "/a", "--key", "key-1", "-o", "some.jsonl"),
    )
    assert ids((store / "some.jsonl").read_bytes()) == expected(*numbers)
    export("--model", "another", "-o", "none.jsonl")
    assert (store / "none.jsonl").read_bytes() == b""


@pytest.mark.parametrize("cut", [1, 200, 3000, 10**9])
def test_what_was_broken_off_goes_on(store: Path, cut: int) -> None:
    """From behind the last whole line, wherever the file was cut; one that is whole stays as it is."""
    export("-o", "all.jsonl")
    path = store / "all.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    export("-o", "all.jsonl", "--resume")
    assert path.read_bytes() == whole
    export("-o", "all.jsonl", "--resume")
    assert path.read_bytes() == whole


def test_a_file_is_not_overwritten(store: Path) -> None:
    """Nor is one that is something else gone on with."""
    (store / "mine.txt").write_text("mine\n")
    for arguments, said in (([], "--resume"), (["--resume"], "no exported exchange")):
        done = CliRunner().invoke(main, ["export", "-o", "mine.txt", *arguments])
        assert done.exit_code != 0
        assert said in done.output
    assert (store / "mine.txt").read_text() == "mine\n"
