"""How much the whole verify of a provisioned cell costs over its floor: verify_over_floor, per stack.

`nox -s "bench(verify_over_floor)" -- [CELL ...]`.
The floor is one fresh process of the cell's Python that does once what cannot be left out: import every dependency and every module,
bring up gloo with a second process, load the checkpoint, run the real demo on one clip. Verify is the whole command `slowfast-verify climb`
on the same cell, with its own start-up, all its checks, all clips, the training and the record. Both are measured in turn, in one run.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import machine

from slowfast_verify import ladder, provision
from slowfast_verify.judge import checks_of, judge
from slowfast_verify.knowledge import RUNGS
from slowfast_verify.matrix import default
from slowfast_verify.observe import observe, probe_text
from slowfast_verify.target import of_python
from slowfast_verify.verdict import Verdicts

CELLS = ["linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67", "linux-py3.11-torch2.15.0-cpu-uv-pyslowfast@main"]
RUNS = 3
FLOOR = ("import:", "gloo", "checkpoint", "demo")


def floor_program(questions: list[tuple[str, dict[str, object]]]) -> bytes:
    """One process, no supervision, no protocol: the probes' own work and nothing else."""
    texts = {name: probe_text(name) for name, _ in questions}
    quoted = json.dumps(json.dumps({"texts": texts, "questions": questions}))
    return f"""import json, os, sys, tempfile
os.chdir(tempfile.mkdtemp())
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the suite has it, or its floor would stand higher
if hasattr(sys.modules["__main__"], "__file__"):
    del sys.modules["__main__"].__file__
R = json.loads({quoted})
for name, args in R["questions"]:
    space = {{"__name__": "probe_" + name}}
    exec(compile(R["texts"][name], name, "exec"), space)
    space["probe"](lambda text: None, **args)
""".encode("ascii")


def questions_of(cell_id: str) -> tuple[object, list[tuple[str, dict[str, object]]]]:
    """The target of the cell and the floor's questions."""
    matrix = default()
    cell = matrix.cell(cell_id)
    stands = provision.standing(cell, matrix)
    if stands is None:
        sys.exit(f"the environment of {cell_id} does not stand\n  next: slowfast-verify climb {cell_id}")
    target = of_python(stands.python).with_env(stands.variables)
    subject = matrix.subjects[cell.subject]
    inventory = observe(target, [ladder.inventory_question(subject)])["inventory"].facts
    assert inventory
    chosen = []
    for batch in ladder.batches(subject, inventory, cell, stands.opts, {}).values():
        for question in batch:
            if question.id.startswith("import:") or question.id in FLOOR:
                args = dict(question.args)
                if question.id == "demo":
                    args["clips"] = args["clips"][:1]
                if question.id == "gloo":  # up and running once: no other way to meet, no helpers of SlowFast
                    args = {"backend": "gloo", "methods": ["tcp"]}
                chosen.append((question.probe, args))
    return target, chosen


def timed(argv: list[str], env: dict[str, str], text: bytes | None = None) -> float:
    """Wall seconds of one command; a command that fails ends the benchmark."""
    begun = time.monotonic()
    done = subprocess.run(argv, input=text, env=env, capture_output=True, check=False)
    seconds = time.monotonic() - begun
    if done.returncode not in (0, 1):
        sys.exit(f"{argv[:4]} left with {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}")
    if text is not None and done.returncode:
        sys.exit(f"the floor failed: {done.stderr[-2000:].decode(errors='replace')}")
    return seconds


def measure(cell_id: str) -> dict[str, object]:
    """Medians of RUNS runs of each, in turn, after one warm-up of each."""
    target, chosen = questions_of(cell_id)
    text = floor_program(chosen)
    floors, verifies = [], []
    for run in range(RUNS + 1):
        a = timed(target.command("-B", "-u", "-"), target.environ(), text)  # type: ignore[attr-defined]
        b = timed([sys.executable, "-m", "slowfast_verify", "climb", "--fresh", cell_id], dict(os.environ))
        if run:
            floors.append(a)
            verifies.append(b)
        print(f"{cell_id} {run or 'warm-up'}: floor {a:.1f} s, verify {b:.1f} s, ratio {b / a:.2f}", flush=True)
    ratios = [b / a for a, b in zip(floors, verifies, strict=True)]
    print(f"{cell_id}: by rung {(by_rung := rung_seconds(cell_id))}", flush=True)
    return {
        "cell": cell_id, "runs": RUNS,
        "floor_seconds": round(statistics.median(floors), 2), "verify_seconds": round(statistics.median(verifies), 2),
        "verify_over_floor": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in ratios],
        "seconds_by_rung": by_rung,
    }  # fmt: skip


def rung_seconds(cell_id: str) -> dict[str, float]:
    """Seconds that a rung's questions took in the target, each counted for the first rung that reads it; two batches run side by side."""
    spent: dict[str, float] = {}
    counted: set[str] = set()
    with tempfile.TemporaryDirectory() as shared:
        option = SimpleNamespace(cell=cell_id, standing=None, record=None, config=None, checkpoint=None, zoo=None)
        verdicts = Verdicts.begin(option, Path(shared))
        verdicts.put_side_by_side(2)
        for rung in RUNGS:
            for check in checks_of(rung, verdicts):
                for number in set(judge(check, verdicts).seen) - counted:
                    counted.add(number)
                    spent[rung] = spent.get(rung, 0.0) + verdicts.ask(number).seconds
    return {rung: round(seconds, 2) for rung, seconds in spent.items()}


def main() -> None:
    """Measure the cells named on the command line, or the two that the design names, and write the figures."""
    cells = sys.argv[1:] or CELLS
    about = machine.described()
    rows = [measure(cell) for cell in cells]
    machine.write(__file__, about, rows)
    for row in rows:
        print(f"{row['cell']}: verify {row['verify_seconds']} s / floor {row['floor_seconds']} s = {row['verify_over_floor']}")


if __name__ == "__main__":
    main()
