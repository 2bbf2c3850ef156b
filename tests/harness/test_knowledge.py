"""Known failures: each is told from its look-alikes by what programs print, and none is seen where nothing is wrong.

The texts are the examples in knowledge/ and logs/variants.toml (our own runs, and a few quotations that say so).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import knowledge, layout
from slowfast_verify.action import Action
from slowfast_verify.data import Row, load
from slowfast_verify.draft import MARK
from slowfast_verify.knowledge import Failure, KnownFailure, Signature, diagnose, matches
from slowfast_verify.matching import ranked

LOGS = Path(__file__).parent / "logs"
IDS = sorted(knowledge.all_known())

ENVIRONMENT = "test_environment.py"
MACHINE = "test_environment_machine.py"

#: What our own checks say: (known failure, the check's file, a sentence of it, the words of that sentence that never change).
FINDINGS = [
    ("demo-clip-too-short", "test_demo.py", "up: the demo said nothing about any window", "the demo said nothing about any window"),
    (
        "num-classes-mismatch-random-head",
        "test_demo.py",
        "the log tells of weights that do not fit (missing keys): head.projection.weight",
        "the log tells of weights that do not fit",
    ),
    (
        "num-classes-mismatch-random-head",
        "test_checkpoint.py",
        "the checkpoint lacks weights that the model has; missing keys: ['head.projection.weight']",
        "the checkpoint lacks weights that the model has",
    ),
    (
        "random-initialization",
        "test_demo.py",
        "the model was used with random initialization: no checkpoint was read",
        "the model was used with random initialization",
    ),
    ("numpy-2-under-old-torch", "test_compute.py", "torch 2.1.2 and numpy 2.2.6 do not go together: no", "do not go together"),
    ("slowfast-not-on-path", ENVIRONMENT, "slowfast is on no entry of sys.path", "is on no entry of sys.path"),
    (
        "torch-not-compiled-with-cuda",
        MACHINE,
        "this machine has an NVIDIA GPU (nvidia-smi), and torch 2.13.0 is a CPU build: it will not use it",
        "is a CPU build: it will not use it",
    ),
    (
        "torchvision-unpinned-replaces-torch",
        "../../src/slowfast_verify/distributions.py",
        "torch 2.15.0 is installed, where torch-1.8 pins torch==1.8.0 (the stack's torch): a later step replaced it",
        "a later step replaced it",
    ),
    ("torch-torchvision-mismatch-ops", ENVIRONMENT, "torch 2.15.0 and torchvision 0.28.0 are not a pair: this", "are not a pair"),
    (
        "torch-torchvision-mismatch-ops",
        ENVIRONMENT,
        "torch 2.13.0+cpu (CPU) and torchvision 0.28.0+cu130 (CUDA operators) are not of one build",
        "are not of one build",
    ),
    ("opencv-two-distributions", ENVIRONMENT, "opencv-python 5.0.0 and opencv-python-headless 5.0.0 both own cv2 (e.g. x)", "both own"),
    (
        "pythonpath-inner-folder",
        ENVIRONMENT,
        "PYTHONPATH names /x/slowfast, which is a package: it makes config, datasets top-level names",
        "which is a package: it makes",
    ),
    ("pythonpath-misspelt", ENVIRONMENT, "PTYTHONPATH is set, and no Python reads it", "is set, and no Python reads it"),
    ("python-out-of-range", ENVIRONMENT, "Python 3.6.15 is outside of what pyslowfast supports (>=3.8)", "is outside of what"),
]


class Log(Row):
    """One thing that a program printed. id: the known failure that it is, or none. run: what was run, or whom it quotes."""

    id: str
    run: str
    text: str


class Logs(Row):
    """logs/variants.toml."""

    log: list[Log]


@cache
def logs() -> list[Log]:
    """Every labelled text: the variants and the examples."""
    examples = [Log(id=i, run="example", text=f.example.text) for i, f in knowledge.all_known().items() if f.example]
    misses = [Log(id=m.id or "none", run=f"near-miss-of-{i}", text=m.text) for i, f in knowledge.all_known().items() for m in f.near_miss]
    return [*load(LOGS / "variants.toml", Logs).log, *examples, *misses]


def shown(identifier: str) -> list[Failure]:
    """The texts of a known failure, and what our checks say where they find it."""
    return [Failure(text=log.text) for log in logs() if log.id == identifier] + [
        finding(row[2]) for row in FINDINGS if row[0] == identifier
    ]


def finding(sentence: str) -> Failure:
    """A check's sentence as the plugin hands it over."""
    return Failure(type="AssertionError", message=sentence, text=sentence)


#: What a sentence has and a command has not: only what has none of these may be the same in both languages.
PROSE = re.compile(r"(?<![\w/.-])(the|a|an|or|and|then|for|in|of|to|with|where|take|it|is|not|which)(?![\w/.-])")


def untold(failure: KnownFailure) -> list[str]:
    """The sentences of the fixes, of what does not help and of what is unsure that nobody wrote in Chinese."""
    pairs = [(fix.why, fix.why_zh) for fix in failure.fix if fix.why]
    for fix in failure.fix:
        chinese = fix.advised("zh")
        pairs += [(text, chinese[place]) for place, text in fix.advised().items() if PROSE.search(text)]
    for dead in failure.dead_end:
        pairs += [(dead.why, dead.why_zh), *([(dead.tried, dead.tried_zh)] if PROSE.search(dead.tried) else [])]
    pairs += [(failure.unsure, failure.unsure_zh)] if failure.unsure else []
    return [english for english, chinese in pairs if not re.search(r"[\u4e00-\u9fff]", chinese)]


@pytest.mark.parametrize("identifier", IDS)
def test_is_complete(identifier: str) -> None:
    """A known failure has its sources, an example of a run with its origin, an explanation in both languages, a way out, and a loop or a
    reason why there is none.
    """
    failure = knowledge.known(identifier)
    text = (layout.knowledge() / f"{identifier}.toml").read_text(encoding="utf-8")
    left = [line.partition("=")[0].strip(" #") for line in text.splitlines() if MARK in line]
    assert not left, f"{identifier}: a draft; fill in what is marked {MARK!r}: {', '.join(left)}"
    assert failure.signature and failure.seen_in and failure.fix, f"{identifier}: no signature, no source or no fix"
    assert failure.example and failure.example.text.strip() and failure.example.origin, f"{identifier} has no example"
    assert re.search(r"[\u4e00-\u9fff]{4}", failure.explain.cause_zh), f"{identifier}: the Chinese explanation is not Chinese"
    assert re.search(r"[\u4e00-\u9fff]{2}", failure.title_zh), f"{identifier}: the Chinese title is not Chinese"
    assert not untold(failure), f"{identifier}: what a person reads is in English only: {untold(failure)}"
    assert bool(failure.witness) != bool(failure.unreproduced), f"{identifier}: a loop shows it, or a reason why none does: one of the two"
    assert not set(failure.consequence_of) - set(IDS), f"{identifier}: a consequence of what does not exist"
    assert not re.search(r"[\u4e00-\u9fff]", failure.title + failure.explain.cause), f"{identifier}: the English one is"


@pytest.mark.parametrize("log", logs(), ids=lambda log: f"{log.id}-{log.run}")
def test_text_is_diagnosed(log: Log) -> None:
    """What a failure printed is diagnosed as that failure, whatever else matches it, and a look-alike as nothing."""
    assert (diagnose(Failure(text=log.text)) or "none") == log.id


@pytest.mark.parametrize("path", sorted(LOGS.glob("healthy-*.txt")), ids=lambda path: path.stem)
def test_healthy_log_is_not_diagnosed(path: Path) -> None:
    """The logs of a good installation and of a good demo show no failure: neither the whole nor any line of them."""
    text = path.read_text(encoding="utf-8")
    assert diagnose(Failure(text=text)) is None
    assert [line for line in text.splitlines() if diagnose(Failure(text=line))] == []


def test_every_signature_is_shown() -> None:
    """Each signature matches a text of its failure or a sentence of a check; what nothing shows says why, and is nothing more."""
    unshown = {
        (identifier, number)
        for identifier, failure in knowledge.all_known().items()
        for number, signature in enumerate(failure.signature)
        if not any(matches(signature, text) for text in shown(identifier))
    }
    excused = {(i, n) for i, f in knowledge.all_known().items() for n, signature in enumerate(f.signature) if signature.unshown}
    assert unshown == excused


@pytest.mark.parametrize(("identifier", "file", "sentence", "words"), FINDINGS)
def test_finding_is_diagnosed(identifier: str, file: str, sentence: str, words: str) -> None:
    """What one of our checks says where it fails is diagnosed, and the check still says it."""
    assert diagnose(finding(sentence)) == identifier
    assert words in sentence
    assert words in (layout.suites() / file).read_text(encoding="utf-8"), f"{file} no longer says {words!r}: mend {identifier}"


@pytest.mark.parametrize(
    ("type_", "message", "text", "identifier"),
    [
        ("ModuleNotFoundError", "No module named 'scipy'", "Please update your PyTorchVideo to latest master", "missing-scipy"),
        ("ModuleNotFoundError", "No module named 'scipy.fft'", "", None),
        ("ModuleNotFoundError", "No module named 'slowfast.utils.parser'", "", "slowfast-release-2019-installed"),
        ("ModuleNotFoundError", "No module named 'vision_transformers'", "", None),
        ("ModuleNotFoundError", "No module named 'detectron2._C'", "", "detectron2-c-extension-missing"),
        ("ModuleNotFoundError", "No module named 'torch'", "", None),
        (
            "EOFError",
            "Ran out of input",
            'File "multiprocessing/spawn.py", line 105, in spawn_main',
            "windows-spawn-pickle-ran-out-of-input",
        ),
        ("EOFError", "Ran out of input", 'File "torch/serialization.py", line 764, in _legacy_load', "checkpoint-truncated-download"),
        ("TypeError", "cannot unpack non-iterable NoneType object", 'File "my_script.py", line 3', None),
        ("RuntimeError", "Found no NVIDIA driver on your system", "    torch.cuda.synchronize()\n", "train-synchronize-without-gpu"),
        ("RuntimeError", "Found no NVIDIA driver on your system", "    torch.cuda.current_device()\n", "num-gpus-without-gpu"),
        ("UnpicklingError", "Weights only load failed. WeightsUnpickler error: Unsupported operand 149", "", None),
        ("FileNotFoundError", "[Errno 2] No such file or directory: 'OUTPUT.mp4'", "", None),
    ],
)
def test_near_misses_stay_apart(type_: str, message: str, text: str, identifier: str | None) -> None:
    """A message one step away from a known one is told apart: as another known failure, or as none."""
    assert diagnose(Failure(type=type_, message=message, text=text)) == identifier


def test_what_ended_it_outweighs_what_was_printed() -> None:
    """A warning that was survived does not take the place of the exception, however long its signature is."""
    explain = knowledge.Explain(cause="c", cause_zh="c")
    warned = KnownFailure(
        id="warned",
        title="w",
        title_zh="w",
        rung="imports",
        explain=explain,
        signature=[Signature(text="a long and very characteristic warning")],
    )
    raised = KnownFailure(
        id="raised", title="r", title_zh="r", rung="imports", explain=explain, signature=[Signature(type="KeyError", message="x")]
    )

    def first(failure: Failure) -> str:
        return ranked([warned, raised], lambda row: row.signature, failure)[0].id

    text = "a long and very characteristic warning\nKeyError: x"
    assert first(Failure(type="KeyError", message="x", text=text)) == "raised"
    assert first(Failure(text=text)) == "raised"
    assert first(Failure(text=text.partition("\n")[0])) == "warned"


def test_names_in_the_matrix_exist() -> None:
    """Every known failure that matrices/ names has its file."""
    named = set()
    for path in layout.matrices().rglob("*.toml"):
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r'^\s*(?:cause|known) = "([^"]+)"', text, re.MULTILINE))
        for row in re.findall(r"^\s*workarounds = \[([^\]]*)\]", text, re.MULTILINE):
            named |= set(re.findall(r'"([^"]+)"', row))
    assert named and named <= set(IDS), f"no file for {sorted(named - set(IDS))}"


@pytest.mark.parametrize("path", [*sorted(layout.knowledge().glob("*.toml")), *sorted(LOGS.iterdir())], ids=lambda path: path.stem)
def test_nothing_of_a_machine_is_left(path: Path) -> None:
    """No path of a machine and no host of a package registry is in a text."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"/(?:tmp|root|work|opt|home)/\S+|[A-Z]:\\Users\\\S+|\S*(?:pypi\.org|pythonhosted)\S*", text) == []


@pytest.mark.parametrize(
    ("given", "does"),
    [
        ({"advice": "mend it", "advice_zh": "修好它", "why": "it is broken", "why_zh": "坏了"}, False),
        ({"advice": "mend it"}, False),
        ({"env": {"A": ""}, "why_zh": "多余"}, True),
        ({"install": ["x"], "advice": "and then"}, True),
    ],
)
def test_words_do_nothing_in_any_language(given: dict[str, Any], does: bool) -> None:
    """A fix that only says something leaves the place to what the check itself prints: a command."""
    assert Action.model_validate(given).does is does
