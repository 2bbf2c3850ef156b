"""Reading a log: what terminals, machines and people put around the words is taken off, and the words and their line numbers stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowfast_verify import log
from slowfast_verify.errors import Problem

PLAIN = "ModuleNotFoundError: No module named 'scipy'"


@pytest.mark.parametrize(
    "line",
    [
        f"\x1b[31m\x1b[1m{PLAIN}\x1b[0m",
        f"\x1b]0;a title\x07{PLAIN}",
        f"2026-11-22T10:04:11.1234567Z {PLAIN}",
        f"2026-11-22 10:04:11,123 {PLAIN}",
        f"[11/20 08:58:46] {PLAIN}",
        f"10:04:11 {PLAIN}",
        f"#14 38.21 {PLAIN}",
        f"[rank3]: {PLAIN}",
        f"[default0]:{PLAIN}",
        f"train-1  | {PLAIN}",
        f"2026-11-22T10:04:11Z [rank0]: {PLAIN}",
        f"##[error]{PLAIN}",
        f"> {PLAIN}",
        f"&gt; {PLAIN}",
        f"E   {PLAIN}",
        f" 10%|#    | 1/10\r 20%|##   | 2/10\r{PLAIN}\r",
        '{"log":"ModuleNotFoundError: No module named \'scipy\'\\n","stream":"stderr","time":"2026-11-22T10:04:11Z"}',
        "ModuleNotFoundError: No module named ‘scipy’",
        "ModuleNotFoundError: No module named &#39;scipy&#39;",
        "ModuleNotFoundError:\u00a0No module named 'scipy'\u200b",
        f"{PLAIN}   ",
    ],
)
def test_noise_is_taken_off(line: str) -> None:
    """Colours, times, ranks, build steps, quotation marks of any kind: what is left is what the program said."""
    assert log.clean(line) == PLAIN


@pytest.mark.parametrize(
    "line", [">>> torch.__version__", "-> 38 |     import torch", "a & b; c", "12:30 is a time", "#include <THC/THC.h>"]
)
def test_what_is_no_noise_stays(line: str) -> None:
    """A prompt, a comparison and a preprocessor line look like noise and are none."""
    assert log.clean(line) == line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_encodings(encoding: str) -> None:
    """Python on Linux, an editor's byte order mark, PowerShell's redirection, and a Chinese console."""
    text = "OSError: [WinError 126] 找不到指定的模块。 Error loading fbgemm.dll\r\nsecond line\r\n"
    read = log.from_bytes(text.encode(encoding), "x")
    assert read.text.rstrip() == text.replace("\r\n", "\n").rstrip()


def test_bytes_that_are_no_text() -> None:
    """What no encoding knows is read all the same."""
    assert PLAIN in log.from_bytes(b"\xff\x80\x00garbage\n" + PLAIN.encode()).text


@given(st.binary(max_size=400))
def test_any_bytes_are_read(data: bytes) -> None:
    """No bytes at all make the reader fail, and no line is lost or gained."""
    read = log.from_bytes(data)
    assert [number for number, _ in read.lines] == list(range(1, len(read.lines) + 1))


def test_line_numbers_are_those_of_the_source() -> None:
    """Evidence names the line that an editor shows."""
    read = log.from_text(f"one\n\n\x1b[31mtwo\r\n{PLAIN}\n")
    start = read.text.index("No module")
    assert read.at(start, start + 5) == (4, PLAIN)


def test_very_long_log_keeps_what_tells() -> None:
    """Of a log of some 30 MB the one telling line in the middle is kept with its number, though warnings flood all around."""
    flood = "".join(
        f"epoch {n} WARNING: {n * 7919 % 1000003:x} is slow, loss 0.1, all goes on and on and on as it should be\n" for n in range(200_000)
    )
    data = (flood + f"x\nTraceback\n{PLAIN}\n" + flood).encode()
    assert len(data) > log.WHOLE
    read = log.from_bytes(data)
    assert read.cut
    assert len(read.text) < log.WHOLE * 1.2
    start = read.text.index(PLAIN)
    assert read.at(start, start + 9) == (200_003, PLAIN)
    numbers = [number for number, _ in read.lines]
    assert numbers == sorted(set(numbers))


def test_very_long_log_without_line_ends() -> None:
    """Megabytes in one line are read, and its end is kept."""
    read = log.from_bytes(b"x" * 5_000_000 + PLAIN.encode())
    assert read.text.endswith(PLAIN)
    assert len(read.text) < log.WHOLE


def test_wrapped_lines_are_joined() -> None:
    """A terminal that breaks at a fixed width breaks words; where two lines have that width they are joined again."""
    wide = "x" * 60 + "ModuleNotFoundError: No module named 'scipy'" + "y" * 40
    wrapped = "\n".join(wide[i : i + 70] for i in range(0, len(wide), 70))
    read = log.from_text(f"{wrapped}\nend\n{'z' * 70}\n{'w' * 5}")
    assert "named 'scipy'" in (read.unwrapped or read).text
    assert log.from_text("short\nlines\n").unwrapped is None


def test_what_cannot_be_read_says_so(tmp_path: object) -> None:
    """A missing file and a folder: the name, the usual cause, the next command."""
    with pytest.raises(Problem, match="cannot be read") as caught:
        log.read(str(tmp_path))
    assert "it is a folder" in str(caught.value)
    assert "diagnose -" in str(caught.value)
    with pytest.raises(Problem):
        log.read("no-such-file.log")
