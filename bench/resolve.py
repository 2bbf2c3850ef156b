"""What resolving costs: seconds for each distinct resolution, and for each cell of 100, 300 and 1,000; writes bench/resolve.json.

`nox -s "bench(resolve)"`. The index's metadata is fetched first, by resolving the same cells once; what is measured asks every question
again (`refresh`), one at a time, so that the resolver bounds it. The cells are drawn by lot from those whose torch is on the package
index, with a fixed seed: 100 are the first of the 300, these the first of the 1,000. beside_per_cell is everything beside the resolver: the
questions, what is kept, the predictions. Cells not verified among them are conda's.
"""

from __future__ import annotations

import random
import time
from typing import Any

from machine import described, median, write

from slowfast_verify import resolve
from slowfast_verify.matrix import default

SIZES = (100, 300, 1000)
SEED = 15


def measured(cells: list[Any], matrix: Any) -> dict[str, Any]:
    """One size: all questions asked again, then answered from what is kept."""
    begun = time.perf_counter()
    work = resolve.prepare(cells, matrix, refresh=True)
    prepared = time.perf_counter() - begun
    asked = time.perf_counter()
    resolve.carry_out(work, workers=1)
    resolving = time.perf_counter() - asked
    told = time.perf_counter()
    found = resolve.results(cells, matrix, work)
    telling = time.perf_counter() - told
    again = time.perf_counter()
    resolve.results(cells, matrix, resolve.prepare(cells, matrix))
    kept = time.perf_counter() - again
    seconds = [answer.seconds for answer in work.answers.values()]
    ours = prepared + telling
    whole = ours + resolving
    return {
        "cells": len(cells), "distinct": len(work.questions), "seconds": round(whole, 2),
        "seconds_per_distinct": {
            "median": median(seconds, 3), "mean": round(sum(seconds) / len(seconds), 3), "max": round(max(seconds), 2),
        },
        "seconds_per_cell": round(whole / len(cells), 4), "beside_per_cell": round(ours / len(cells), 5), "kept_seconds": round(kept, 2),
        "verdicts": {word: sum(row.verdict == word for row in found) for word in sorted({row.verdict for row in found})},
    }  # fmt: skip


def main() -> None:
    """Fetch, measure and write."""
    machine = described()
    matrix = default()
    reachable = [cell for cell in matrix.everything.values() if (wheels := matrix.stack_of(cell).wheels_of(cell))
                 and wheels.index == "default" and not wheels.find_links]  # fmt: skip
    random.Random(SEED).shuffle(reachable)
    warm = resolve.prepare(reachable[: max(SIZES)], matrix)
    resolve.carry_out(warm, workers=1)
    rows = [measured(reachable[:size], matrix) for size in SIZES]
    write(__file__, machine, [{"resolver": resolve.resolver.name(), "workers": 1, **row} for row in rows])


if __name__ == "__main__":
    main()
