"""`python -m bench.semantic FOLDER`: hits and wrong answers of the semantic cache on public data, and
pairs of questions that must not have each other's answer. How often the rate is kept: bench.seeds.

Needs SHARED_DIR (../shared) with its folder `semantic`. FOLDER gets a plot and the vectors.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import numpy as np

from bench.questions import SHARED, STREAMS, Vectors, pairs
from bench.replay import Replay, verified
from bench.waiting import bar
from streams.caches.semantic.threshold import Threshold

COLUMNS = (
    "hits",
    "hits, second half",
    "wrong",
    "wrong, second half",
    "wrong of hits",
    "hits compared",
)
PAIRS = 400


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.semantic", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--streams", default=",".join(STREAMS))
    parser.add_argument("--seeds", type=int, default=1, help="runs of the verified decision (1)")
    parser.add_argument("--rate", type=float, default=0.01, help="maximum error rate (0.01)")
    parser.add_argument("--noise", type=float, default=0.0, help="share of wrong judgements (0)")
    return parser.parse_args()


def row(name: str, rates: dict[str, float]) -> None:
    print(f"| {name} | {' | '.join(f'{rates[column]:.2%}' for column in COLUMNS)} |", flush=True)


async def measure(options: argparse.Namespace, vectors: Vectors) -> dict[str, Replay]:
    print(f"| stream, decision | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    runs: dict[str, Replay] = {}
    for name in options.streams.split(","):
        stream = STREAMS[name](SHARED, 0)
        vectors.make((text for text, _ in stream), bar(f"{name}: vectors"))
        for least in (0.92, 0.80):
            title = f"{name}, threshold {least:.2f}"
            runs[title] = await Replay(Threshold(least)).run(stream, vectors, bar(title))
            row(title, runs[title].rates())
        for seed in range(options.seeds):
            title = f"{name}, verified {options.rate:.1%}" + (f", seed {seed}" if seed else "")
            made = Replay(verified(seed, options.rate), options.noise, seed)
            runs[title] = await made.run(STREAMS[name](SHARED, seed), vectors, bar(title))
            row(title, runs[title].rates())
    return runs


async def adversarial(runs: dict[str, Replay], vectors: Vectors) -> None:
    """Pairs asked of each cache as its stream left it."""
    texts = [text for text, _ in STREAMS["mixb"](SHARED, 0)]
    kinds = pairs(texts, PAIRS, seed=1)
    print(f"\n| share served | {' | '.join(kinds)} |\n|---|{'---|' * len(kinds)}")
    for title, run in runs.items():
        shares = [await run.served_of(found, vectors) for found in kinds.values()]
        print(f"| {title} | {' | '.join(f'{share:.1%}' for share in shares)} |", flush=True)


def plot(runs: dict[str, Replay], rate: float, path: Path) -> None:
    """Hits and wrong answers as they add up over each stream."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    streams = list(dict.fromkeys(title.partition(",")[0] for title in runs))
    figure, axes = pyplot.subplots(2, len(streams), figsize=(5 * len(streams), 7), squeeze=False)
    for column, name in enumerate(streams):
        for title, run in runs.items():
            if title.partition(",")[0] != name:
                continue
            asked = np.arange(1, len(run.hits) + 1)
            for line, values in enumerate((run.hits, run.wrong)):
                axes[line][column].plot(
                    asked[100:],
                    100 * (np.cumsum(values) / asked)[100:],
                    label=title.partition(", ")[2],
                )
        axes[0][column].set(title=name, ylabel="hits so far, %", ylim=(0, 100))
        axes[1][column].axhline(100 * rate, color="gray", linestyle=":")
        axes[1][column].set(xlabel="requests", ylabel="wrong so far, % of requests")
        axes[0][column].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


async def main() -> None:
    options = arguments()
    options.folder.mkdir(parents=True, exist_ok=True)
    vectors = Vectors(SHARED / "model", options.folder / "vectors.npz")
    runs = await measure(options, vectors)
    await adversarial(runs, vectors)
    plot(runs, options.rate, options.folder / "semantic.png")
    print(f"\nplot: {options.folder / 'semantic.png'}")


if __name__ == "__main__":
    asyncio.run(main())
