"""`python -m bench.seeds FOLDER --seeds 34`: how often the verified decision keeps its error rate.

A run is one stream in an order of its own, asked of an empty cache; seed 0 is the order of
`bench.semantic`. Each one's rates are appended to FOLDER/seeds.jsonl, where a run that is there already
is not made again, so that a stopped bench goes on. Needs SHARED_DIR (../shared) with its folder
`semantic`; FOLDER keeps the vectors, too.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from bench.questions import SHARED, STREAMS, Asked, Vectors
from bench.replay import Replay, verified
from bench.waiting import bar

PARTITION = 1_000
WORST = 1.25  # times the rate that no long run may exceed, and
WORST_PARTITION = 1.6  # no namespace of 1,000 requests


class Run(Struct, frozen=True):
    """Which run, and its rates as shares of all its requests."""

    stream: str
    seed: int
    part: int | None  # of the stream, 1,000 requests each; None: the whole
    rate: float  # allowed
    noise: float
    hits: float
    late_hits: float  # in the second half
    wrong: float

    @property
    def name(self) -> tuple[str, int, int | None, float, float]:
        return self.stream, self.seed, self.part, self.rate, self.noise


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Run).decode


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.seeds", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--streams", default=",".join(STREAMS))
    parser.add_argument("--seeds", type=int, default=34, help="runs of each stream (34)")
    parser.add_argument("--rate", type=float, default=0.01, help="maximum error rate (0.01)")
    parser.add_argument("--noise", type=float, default=0.0, help="share of wrong judgements (0)")
    parser.add_argument(
        "--partitions",
        action="store_true",
        help="each stream as namespaces of 1,000 requests that know nothing of each other",
    )
    return parser.parse_args()


def wanted(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Seed by seed, so that what a stopped bench has done is of all streams alike."""
    for seed in range(options.seeds):
        for stream in options.streams.split(","):
            yield stream, seed


async def run(options: argparse.Namespace, vectors: Vectors, path: Path) -> None:
    """Makes what is not there yet."""
    known = {each.name for each in read(path)}
    for stream, seed in wanted(options):
        asked = STREAMS[stream](SHARED, seed)
        vectors.make((text for text, _ in asked), bar(f"{stream}: vectors"))
        for part, requests in pieces(asked, options.partitions):
            if (stream, seed, part, options.rate, options.noise) in known:
                continue
            chance = seed if part is None else seed * 1_000 + part + 1
            made = Replay(verified(chance, options.rate), options.noise, chance)
            title = f"{stream}, seed {seed}" + ("" if part is None else f", part {part}")
            rates = (await made.run(requests, vectors, bar(title))).rates()
            hits, late, wrong = rates["hits"], rates["hits, second half"], rates["wrong"]
            found = Run(stream, seed, part, options.rate, options.noise, hits, late, wrong)
            with path.open("ab") as file:
                file.write(_encode(found) + b"\n")


def pieces(stream: list[Asked], cut: bool) -> list[tuple[int | None, list[Asked]]]:
    if not cut:
        return [(None, stream)]
    count = len(stream) // PARTITION
    return [(part, stream[part * PARTITION :][:PARTITION]) for part in range(count)]


def read(path: Path) -> list[Run]:
    return [_decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def summary(options: argparse.Namespace, runs: Sequence[Run]) -> str:
    """One row for each stream, and one for all."""
    said = (options.rate, options.noise)
    chosen = [
        each
        for each in runs
        if (each.rate, each.noise) == said and (each.part is not None) == options.partitions
    ]
    worst = options.rate * (WORST_PARTITION if options.partitions else WORST)
    columns = "runs|hits, mean|hits, least|hits, second half|wrong, mean|95th percentile|most"
    columns += f"|above {options.rate:.2%}|above {worst:.2%}"
    lines = [f"| stream | {columns.replace('|', ' | ')} |", "|---" * 10 + "|"]
    for name in (*options.streams.split(","), "all"):
        found = [each for each in chosen if name in (each.stream, "all")]
        if found:
            lines.append(f"| {name} | {_row(found, options.rate, worst)} |")
    return "\n".join(lines)


def _row(runs: Sequence[Run], rate: float, worst: float) -> str:
    hits, wrong = np.array([each.hits for each in runs]), np.array([each.wrong for each in runs])
    late = np.mean([each.late_hits for each in runs])
    found = [str(len(runs)), f"{hits.mean():.1%}", f"{hits.min():.1%}", f"{late:.1%}"]
    found += [f"{value:.2%}" for value in (wrong.mean(), np.quantile(wrong, 0.95), wrong.max())]
    # A whole number of wrong answers is compared: 10 of 1,000 are not above 1 %.
    return " | ".join([*found, *(str(int((wrong > most + 1e-9).sum())) for most in (rate, worst))])


async def main() -> None:
    options = arguments()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "seeds.jsonl"
    await run(options, Vectors(SHARED / "model", options.folder / "vectors.npz"), path)
    print(summary(options, read(path)))


if __name__ == "__main__":
    asyncio.run(main())
