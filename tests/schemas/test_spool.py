"""The folder of large bodies."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.claims import Claim
from schemas.errors import BodyLost, Overloaded
from schemas.spool import PIECE, Spool

CONTENT = bytes(range(256)) * 12_000  # three pieces


async def written(spool: Spool, name: str = "body") -> Claim:
    file = await spool.create(name)
    for start in range(0, len(CONTENT), 70_000):
        await file.write(CONTENT[start : start + 70_000])
    return await file.commit()


async def test_a_body_is_what_was_written(tmp_path: Path) -> None:
    """Byte by byte, under its name, and nothing else is left in the folder, which was not there before."""
    spool = Spool(tmp_path / "new" / "spool")

    claim = await written(spool)
    stored = await spool.verified(claim)

    assert claim.size == stored.size == len(CONTENT)
    assert stored.path.read_bytes() == CONTENT
    assert [data async for data in spool.pieces(stored)] == [
        CONTENT[start : start + PIECE] for start in range(0, len(CONTENT), PIECE)
    ]
    assert os.listdir(spool.folder) == ["body"]


async def test_it_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    """Nobody finds half a body; one that is given up leaves nothing."""
    spool = Spool(tmp_path)
    file = await spool.create("body")
    await file.write(CONTENT)

    with pytest.raises(BodyLost, match="No such file"):
        await spool.verified(Claim("body"))
    file.abandon()
    await file.write(CONTENT)  # a thread that wrote on for a caller who was cancelled

    assert os.listdir(tmp_path) == []


async def test_a_wrong_file_is_told(tmp_path: Path) -> None:
    """One that is gone, is shorter, or has other bytes is not taken for the body that was sent."""
    spool = Spool(tmp_path)
    claim = await written(spool)
    path = tmp_path / "body"

    path.write_bytes(CONTENT[:-1])
    with pytest.raises(BodyLost, match=f"{len(CONTENT) - 1} bytes instead of {len(CONTENT)}"):
        await spool.verified(claim)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(BodyLost, match="not the bytes that were sent"):
        await spool.verified(claim)
    assert (await spool.verified(replace(claim, size=None, digest=None))).size == len(CONTENT)
    spool.remove("body")
    spool.remove("body")
    with pytest.raises(BodyLost, match="No such file"):
        await spool.verified(claim)


async def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    """Where a file cannot be made the caller is asked to come again."""
    spool = Spool(tmp_path / "spool")
    spool.folder.rmdir()

    with pytest.raises(Overloaded, match="SPOOL_DIR"):
        await spool.create("body")


async def test_what_was_left_behind_is_swept(tmp_path: Path) -> None:
    """By its age alone: old bodies, halves of bodies after a day, and roles that are no longer heard of."""
    spool = Spool(tmp_path)
    hour = 3600.0
    ages = {"old": 49.0, "new": 47.0, ".half.part": 25.0, ".growing.part": 23.0, ".seen-x@y": 50.0}
    for name, age in ages.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (1e9 - age * hour,) * 2)

    assert spool.sweep(1e9, 48 * hour) == 3
    assert sorted(os.listdir(tmp_path)) == [".growing.part", "new"]
    assert spool.sweep(1e9, 48 * hour) == 0


def test_roles_leave_word(tmp_path: Path) -> None:
    """The folder says who uses it, and from which machine."""
    spool = Spool(tmp_path)

    spool.sign("ingress")
    spool.sign("ingress")
    spool.sign("streams")

    machines = {name.partition("@")[0]: name.partition("@")[2] for name, _ in spool.signed()}
    assert set(machines) == {"ingress", "streams"}
    assert machines["ingress"]
