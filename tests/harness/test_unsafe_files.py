"""A checkpoint or a config that runs something when it is loaded is named, and opened by nobody."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from slowfast_verify import ladder, layout
from slowfast_verify import target as targets
from slowfast_verify.observe import observe
from slowfast_verify.question import Question
from slowfast_verify.sniff import sniff
from slowfast_verify.subject import subject

from . import checkpoint_bytes as make

SHAPES = {"w": 30}


def evil(module: str, name: str, *arguments: bytes) -> bytes:
    """Opcodes that call a function when they are unpickled, and drop what it returned."""
    return make.name(module, name) + make.items(*arguments) + b"R0"


def pickles(trace: Path) -> dict[str, bytes]:
    """{how: bytes of a file that runs something when it is loaded}, none of which looks like more than weights at first sight."""
    call = evil("os", "system", make.text(f"touch {trace}"))
    weights = make.state(SHAPES, legacy=False)
    dotted = make.name("os", "path.os." * 30 + "system") + make.items(make.text(f"touch {trace}")) + b"R0"  # since protocol 4
    parts = [make.pickled(call + body) for body in (make.number(1001), make.table({"little_endian": b"\x88"}))]
    legacy = make.torch_legacy(SHAPES).data
    heads = [make.pickled(make.number(1001)), make.pickled(make.table({"protocol_version": make.number(1001), "little_endian": b"\x88",
                                                                       "type_sizes": make.table({"int": make.number(4)})}))]  # fmt: skip
    bytes_of_storage = evil("torch.storage", "_load_from_bytes", make.text("x"))
    keys = b"](" + make.text("0") + b"e"
    return {
        "zip": make.zipped(make.torch_members(SHAPES, make.pickled(call + weights))),
        "zip, loaded by torch itself": make.zipped(make.torch_members(SHAPES, make.pickled(bytes_of_storage + weights))),
        "zip, with a long dotted name": make.zipped(make.torch_members(SHAPES, b"\x80\x04" + dotted + weights + b".")),
        "zip, by the registry of extensions": make.zipped(make.torch_members(SHAPES, make.pickled(b"\x82\x010" + weights))),
        "legacy, in its weights": make.torch_legacy(SHAPES, extra={"x": call + b"N"}).data,
        "legacy, in its protocol": legacy.replace(heads[0], parts[0], 1),
        "legacy, in its machine": legacy.replace(heads[1], make.pickled(call + heads[1][2:-1]), 1),
        "legacy, in its keys": legacy.replace(make.pickled(keys), make.pickled(call + keys), 1),
        "caffe2": make.pickled(call + make.table({"blobs": make.table({})})),
        "pickle": make.pickled(call + b"N"),
        "cut off after the call": make.pickled(call + weights)[:200],
    }  # fmt: skip


@pytest.mark.parametrize("how", pickles(Path("x")))
def test_a_checkpoint_that_runs_something_is_named_and_opened_by_nobody(how: str, tmp_path: Path) -> None:
    """The sniffer says what it would import, the target is asked nothing about it, and it leaves no trace."""
    trace, file = tmp_path / "trace", tmp_path / "evil.pyth"
    file.write_bytes(pickles(trace)[how])
    found = sniff(file)
    assert found.unsafe, found
    inventory = {"distributions": {}, "modules": [], "checkout": "", "configs": []}
    asked = {"checkpoint": str(file), "config": str(layout.fixtures() / "configs" / "any.yaml")}
    put = {q.id: q for batch in ladder.batches(subject("pyslowfast"), inventory, None, {}, asked).values() for q in batch}
    mine = [question for name, question in put.items() if name.startswith("your_checkpoint")]
    assert len(mine) == 2
    assert {question.probe for question in mine} == {"unopened"}
    assert str(file) not in json.dumps([question.args for question in put.values()])
    seen = observe(targets.of_python(sys.executable), mine)
    assert all((one.facts or {})["unopened"] == found.unsafe for one in seen.values())
    assert not trace.exists()


def test_weights_alone_are_opened(tmp_path: Path) -> None:
    """The counter-example: every kind of honest checkpoint is put to the target."""
    for name, data in {
        "zip": make.torch_zip(SHAPES).data,
        "legacy": make.torch_legacy(SHAPES).data,
        "caffe2": make.caffe2(SHAPES).data,
    }.items():
        (tmp_path / name).write_bytes(data)
        assert sniff(tmp_path / name).unsafe == "", name


def test_a_zip_that_two_readers_read_differently_is_refused(tmp_path: Path) -> None:
    """Two members of one name, in another case or in another folder: torch would open the one that we did not look at."""
    members = make.torch_members(SHAPES)
    for other in ("archive/DATA.PKL", "other/data.pkl"):
        (tmp_path / "x").write_bytes(make.zipped({**members, other: b"cos\nsystem\n."}))
        assert sniff(tmp_path / "x").verdict == "damaged", other
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("archive/data.pkl", members["archive/data.pkl"])
    (tmp_path / "x").write_bytes(buffer.getvalue())
    assert sniff(tmp_path / "x").verdict == "damaged"


def test_a_legacy_file_that_is_a_tar_archive_as_well_is_refused(tmp_path: Path) -> None:
    """torch.load takes a file for a tar archive first: one that begins like a legacy file must not hide one."""
    legacy = make.torch_legacy(SHAPES).data
    magic, protocol = legacy[:16], make.pickled(make.number(1001))
    rest = legacy[16 + len(protocol) :]
    swallowed = b"X" + (512 - 16 - 2 - 5).to_bytes(4, "little")  # to a pickle the header of the archive is one long text, dropped at once
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    header[:23] = magic + b"\x80\x02" + swallowed
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}".encode() + b"\0 "
    (tmp_path / "x").write_bytes(bytes(header) + b"0" + protocol[2:] + rest)
    assert tarfile.TarInfo.frombuf(bytes(header), "latin-1", "replace")
    assert "tar archive" in sniff(tmp_path / "x").detail
    (tmp_path / "x").write_bytes(legacy)
    assert not sniff(tmp_path / "x").unsafe


def test_a_config_with_tags_of_python_runs_nothing(tmp_path: Path) -> None:
    """The config probe reads a YAML whose tags call functions: it is refused with the tag's name, and nothing is called."""
    trace = tmp_path / "trace"
    config = tmp_path / "evil.yaml"
    config.write_text(f"A: !!python/object/apply:os.system ['touch {trace}']\n", encoding="utf-8")
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "evil_defaults.py").write_text(
        "import yaml\nclass C(dict):\n    def merge_from_file(self, path):\n        yaml.safe_load(open(path))\n"
        "def get_cfg():\n    return C()\n", encoding="utf-8")  # fmt: skip
    target = targets.of_python(sys.executable).with_env({"PYTHONPATH": str(stub)})
    args = {"defaults": "evil_defaults", "given": str(config)}
    seen = observe(target, [Question(id="c", probe="config_files", args=args, seconds=60)])["c"]
    told = json.dumps(seen.facts) if seen.facts else f"{seen.type}: {seen.message}"
    assert "python/object/apply:os.system" in told, told
    assert not trace.exists()
