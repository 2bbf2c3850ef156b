"""How long `slowfast-verify recipe` takes for each question that it is held to (matrices/recipe.toml); writes bench/recipe.json.

`nox -s "bench(recipe)"`. Each answer is a process of its own, from its start to its end;
user_seconds: the processor time of one, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import machine

from slowfast_verify.wanted import rules

RUNS = 5


def main() -> None:
    """Measure every question and write."""
    about, results = machine.described(), []
    for question in rules().question:
        times, before = [], resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        for _ in range(RUNS + 1):
            begun = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "slowfast_verify", "recipe", question.text], capture_output=True, text=True, check=True
            )
            times.append(time.perf_counter() - begun)
        used = round((resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before) / len(times), 2)
        first = done.stdout.splitlines()[0].removeprefix("rem ").removeprefix("# ")
        results.append(
            {
                "question": question.text,
                "answer": first.partition(":")[0],
                "seconds": machine.median(times[1:]),
                "most": round(max(times[1:]), 2),
                "user_seconds": used,
            }
        )
    machine.write(__file__, about, results)


if __name__ == "__main__":
    main()
