"""verify_over_plain: the same questions as most projects would write them, against ours; writes bench/plain.json.

`nox -s "bench(plain)" -- [CELL ...]`. The plain way is pytest inside the environment (a clone of the cell's, into which pytest is
installed): each import in a fresh process, so that one crash does not hide the rest; each clip by its own `python tools/run_net.py`;
two processes of gloo and the checkpoint likewise; configs in the process of pytest. Ours is the whole command `slowfast-verify climb
--fresh`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

from slowfast_verify import clone, ladder, provision
from slowfast_verify.matrix import default
from slowfast_verify.observe import observe
from slowfast_verify.target import of_python

CELLS = ["linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67", "linux-py3.11-torch2.15.0-cpu-uv-pyslowfast@main"]
PLAIN = """
import json, os, subprocess, sys
import pytest

GIVEN = json.load(open(os.environ["PLAIN_GIVEN"]))


def python(*argv, **how):
    done = subprocess.run([sys.executable, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how)
    assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")


@pytest.mark.parametrize("module", GIVEN["modules"])
def test_import(module):
    python("-c", "import " + module)


@pytest.mark.parametrize("path", GIVEN["configs"])
def test_config(path):
    from slowfast.config.defaults import get_cfg

    try:
        get_cfg().merge_from_file(os.path.join(GIVEN["checkout"], path))
    except Exception as error:
        pytest.xfail(str(error))  # seven shipped files do not merge


def test_conv3d():
    python("-c", "import torch; torch.nn.Conv3d(3, 4, 3)(torch.zeros(1, 3, 8, 16, 16)).sum().backward()")


def test_gloo(tmp_path):
    code = (
        "import sys, torch, torch.distributed as d; from slowfast.utils import distributed as s; "
        "d.init_process_group('gloo', init_method='file://%s', rank=int(sys.argv[1]), world_size=2); "
        "x = torch.ones(2); d.all_reduce(x); assert x[0] == 2; d.destroy_process_group()" % (tmp_path / "store")
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(rank)]) for rank in (0, 1)]
    assert [one.wait(60) for one in both] == [0, 0]


def test_checkpoint():
    python("-c", "import torch; assert torch.load(%r, map_location='cpu')['model_state']" % GIVEN["weights"])


@pytest.mark.parametrize("clip", GIVEN["clips"])
def test_demo(clip, tmp_path):
    options = dict(GIVEN["opts"])
    options.update({"DEMO.INPUT_VIDEO": clip, "DEMO.OUTPUT_FILE": str(tmp_path / "out.mp4"), "OUTPUT_DIR": str(tmp_path),
                    "TEST.CHECKPOINT_FILE_PATH": GIVEN["weights"], "DEMO.LABEL_FILE_PATH": GIVEN["labels"]})
    flat = [text for pair in options.items() for text in map(str, pair)]
    python(os.path.join(GIVEN["checkout"], "tools", "run_net.py"), "--cfg", GIVEN["config"], "--opts", *flat, cwd=str(tmp_path))
    assert os.path.getsize(str(tmp_path / "out.mp4"))
"""


def plain_seconds(cell_id: str) -> tuple[float, str]:
    """Wall seconds of the plain way, and pytest's closing line."""
    matrix = default()
    cell = matrix.cell(cell_id)
    stands = provision.standing(cell, matrix)
    if stands is None:
        sys.exit(f"the environment of {cell_id} does not stand\n  next: slowfast-verify climb {cell_id}")
    subject = matrix.subjects[cell.subject]
    target = of_python(stands.python).with_env(stands.variables)
    inventory = observe(target, [ladder.inventory_question(subject)])["inventory"].facts
    assert inventory
    asked = {q.id: q for batch in ladder.batches(subject, inventory, cell, stands.opts, {}).values() for q in batch}
    demo = asked["demo"].args
    known_broken = {row.check for row in matrix.expectations(cell)}
    modules = [name.partition(":")[2] for name in asked if name.startswith("import:")]
    given = {
        "modules": [name for name in modules if not any(name in check for check in known_broken)],
        "configs": inventory["configs"], "checkout": stands.checkout, "opts": {"NUM_GPUS": 0, **demo["opts"]}, "config": demo["config"],
        "clips": [clip["path"] for clip in demo["clips"]], "weights": demo["weights"], "labels": demo["labels"],
    }  # fmt: skip
    with tempfile.TemporaryDirectory(dir=Path(stands.env).parent) as scratch:
        copied = clone.clone_environment(Path(stands.env), Path(scratch) / "env")
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(copied), "pytest"], check=True)
        (Path(scratch) / "test_plain.py").write_text(PLAIN, encoding="utf-8")
        (Path(scratch) / "given.json").write_text(json.dumps(given), encoding="utf-8")
        env = {**os.environ, **stands.variables, "PLAIN_GIVEN": str(Path(scratch) / "given.json"), "OMP_WAIT_POLICY": "PASSIVE"}
        begun = time.monotonic()
        done = subprocess.run([str(copied), "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_plain.py"], cwd=scratch, env=env,
                              capture_output=True, text=True, check=False)  # fmt: skip
        seconds = time.monotonic() - begun
        if done.returncode:
            print(done.stdout[-3000:])
        return seconds, done.stdout.strip().splitlines()[-1]


def ours_seconds(cell_id: str) -> float:
    """Wall seconds of the whole command."""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "slowfast_verify", "climb", "--fresh", cell_id], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return time.monotonic() - begun


def main() -> None:
    """Ours before and after the plain way, which takes minutes."""
    about, results = machine.described(), []
    for cell in sys.argv[1:] or CELLS:
        ours = [ours_seconds(cell)]
        plain, closing = plain_seconds(cell)
        ours.append(ours_seconds(cell))
        results.append({
            "cell": cell, "plain_seconds": round(plain, 1), "plain_tests": closing, "verify_seconds": [round(row, 1) for row in ours],
            "verify_over_plain": round(max(ours) / plain, 3), "times_faster": round(plain / max(ours), 1),
        })  # fmt: skip
    machine.write(__file__, about, results)


if __name__ == "__main__":
    main()
