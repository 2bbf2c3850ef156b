"""A fetch ends with the whole file or with a Problem and no file at all. The server is of this machine, and misbehaves."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slowfast_verify.download import Limits
from slowfast_verify.errors import Infrastructure, NotVerifiable, Problem
from slowfast_verify.zoo import fetch, place

from . import checkpoint_bytes as make
from .fetching import DATA, HALF, get, left, weights
from .scripted_site import Site, cut, says, slow, whole

# -- a fetch that succeeds ---------------------------------------------------------------------------------------------


def test_a_whole_file_arrives_with_its_checksum_and_kind(web: Site, tmp_path: Path) -> None:
    """The file is in the cache under its name, nothing lies beside it, and its sha256 is there for the table."""
    web.says(whole(DATA))
    got = get(weights(web), tmp_path)
    assert got.path.read_bytes() == DATA and left(tmp_path) == {"tiny.pyth"}
    assert got.sha256 == hashlib.sha256(DATA).hexdigest()
    assert got.sniffed is not None and got.sniffed.kind == "torch zip"


def test_a_known_checksum_is_accepted_when_it_is_right(web: Site, tmp_path: Path) -> None:
    """The counterpart of the refusal below."""
    web.says(whole(DATA))
    assert get(weights(web, sha256=hashlib.sha256(DATA).hexdigest()), tmp_path).path.exists()


def test_a_cached_file_is_not_asked_for_again(web: Site, tmp_path: Path) -> None:
    """The second fetch makes no request."""
    web.says(whole(DATA))
    get(weights(web), tmp_path)
    get(weights(web), tmp_path)
    assert len(web.asked) == 1


def test_a_cut_download_goes_on_where_it_stopped(web: Site, tmp_path: Path) -> None:
    """After a cut, the same run asks for the rest of the same version only, and the parts are joined right."""
    web.says(cut(DATA, HALF), whole(DATA))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA
    assert (web.asked[1]["Range"], web.asked[1]["If-Range"]) == (f"bytes={HALF}-", '"v1"')


def test_a_later_run_goes_on_where_an_earlier_one_stopped(web: Site, tmp_path: Path) -> None:
    """What a failed run received is kept for the next one."""
    web.says(cut(DATA, HALF), says(503))
    with pytest.raises(Infrastructure, match="are kept"):
        get(weights(web), tmp_path)
    web.says(whole(DATA))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA
    assert web.asked[0]["Range"] == f"bytes={HALF}-"


def test_a_file_that_changed_in_between_is_fetched_anew(web: Site, tmp_path: Path) -> None:
    """Halves of two versions are never joined: If-Range makes the server send the new one from its start."""
    new = make.torch_zip({"other": 30_000}).data
    web.says(cut(DATA, HALF), whole(new, tag='"v2"'))
    assert get(weights(web), tmp_path).path.read_bytes() == new


def test_a_server_without_ranges_starts_over(web: Site, tmp_path: Path) -> None:
    """A 200 in answer to a Range request replaces what was there."""
    web.says(cut(DATA, HALF), whole(DATA, ranges=False))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA


def test_a_rest_of_an_unknown_version_is_not_asked_for(web: Site, tmp_path: Path) -> None:
    """Without an ETag or a date nobody can know that the rest belongs to the same file."""
    web.says(cut(DATA, HALF, tag=""), whole(DATA, tag=""))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA
    assert "Range" not in web.asked[1]


def test_another_part_than_the_one_asked_for_is_not_joined(web: Site, tmp_path: Path) -> None:
    """A 206 whose Content-Range starts elsewhere is thrown away."""
    wrong = says(206, DATA[HALF + 9 :], Content_Range=f"bytes {HALF + 9}-{len(DATA) - 1}/{len(DATA)}")
    web.says(cut(DATA, HALF), wrong, whole(DATA))
    got = fetch(weights(web), tmp_path, show=False, limits=Limits(tries=3, pause=0.01))
    assert got.path.read_bytes() == DATA


def test_a_rest_that_is_not_all_of_the_rest_is_no_end(web: Site, tmp_path: Path) -> None:
    """A 206 may be whole as an answer and still not reach the end of the file."""
    piece = says(206, DATA[HALF : HALF + 50], Content_Range=f"bytes {HALF}-{HALF + 49}/{len(DATA)}", ETag='"v1"')
    web.says(cut(DATA, HALF), piece, whole(DATA))
    got = fetch(weights(web), tmp_path, show=False, limits=Limits(tries=3, pause=0.01))
    assert got.path.read_bytes() == DATA and web.asked[2]["Range"] == f"bytes={HALF + 50}-"


def test_a_server_that_has_no_rest_starts_over(web: Site, tmp_path: Path) -> None:
    """416 says that the file is shorter now than what was kept of it: what was kept is dropped."""
    web.says(cut(DATA, HALF), says(416), whole(DATA))
    got = fetch(weights(web), tmp_path, show=False, limits=Limits(tries=3, pause=0.01))
    assert got.path.read_bytes() == DATA and "Range" not in web.asked[2]


def test_a_part_that_is_whole_is_not_fetched_again(web: Site, tmp_path: Path) -> None:
    """A run that was ended between the last byte and the check left all of it: the next run only checks."""
    path = place(weights(web), tmp_path)
    path.parent.mkdir(parents=True)
    path.with_name("tiny.pyth.part").write_bytes(DATA)
    note = {"address": weights(web).address, "version": '"v1"', "total": len(DATA)}
    path.with_name("tiny.pyth.part.json").write_text(json.dumps(note))
    web.says(says(503))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA and web.asked == []


def test_a_busy_server_is_asked_again(web: Site, tmp_path: Path) -> None:
    """503 is a reason to wait, not to give up."""
    web.says(says(503), whole(DATA))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA


def test_a_compressed_answer_is_unpacked(web: Site, tmp_path: Path) -> None:
    """A server may compress although it was asked not to; its length is then not the file's."""
    web.says(says(200, gzip.compress(DATA), Content_Encoding="gzip", ETag='"v1"'))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA


def test_half_of_a_compressed_answer_is_not_continued(web: Site, tmp_path: Path) -> None:
    """What was unpacked so far has another length than what was sent: no offset to go on from is known."""
    packed = gzip.compress(DATA)
    half = says(200, packed[: len(packed) // 2], Content_Encoding="gzip", Content_Length=str(len(packed)), ETag='"v1"')
    web.says(half, whole(DATA))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA
    assert "Range" not in web.asked[1]


def test_a_part_from_another_address_is_not_continued(web: Site, tmp_path: Path) -> None:
    """When the table names a new address, the beginning that came from the old one is dropped."""
    web.says(cut(DATA, HALF), says(503))
    with pytest.raises(Infrastructure):
        get(weights(web), tmp_path)
    web.says(whole(DATA))
    assert get(weights(web, address=web.url("moved.pyth")), tmp_path).path.read_bytes() == DATA
    assert "Range" not in web.asked[0]


def test_a_damaged_file_in_the_cache_is_replaced(web: Site, tmp_path: Path) -> None:
    """What lies in the cache is looked at before it is believed."""
    path = place(weights(web), tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA[:HALF])
    web.says(whole(DATA))
    assert get(weights(web), tmp_path).path.read_bytes() == DATA


def test_two_at_once_download_once(web: Site, tmp_path: Path) -> None:
    """The second one waits for the first and finds the file."""
    web.says(whole(DATA))
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda _: get(weights(web), tmp_path), range(2)))
    assert got[0] == got[1] and len(web.asked) == 1


# -- a fetch that does not ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [slow(DATA, HALF), slow(DATA, HALF, every=0.05)], ids=["silent", "trickling"])
def test_a_stalled_download_ends(web: Site, tmp_path: Path, answer: object) -> None:
    """A server that falls silent, or sends a byte now and then, is given up in bounded time; no file is there."""
    web.says(answer)  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(Infrastructure, match="did not finish"):
        get(weights(web), tmp_path)
    assert time.monotonic() - began < 15
    assert "tiny.pyth" not in left(tmp_path)


def test_a_download_that_is_always_cut_ends(web: Site, tmp_path: Path) -> None:
    """The number of bytes that came and that were announced are both told, and no file is there."""
    web.says(cut(DATA, 100, tag=""))
    with pytest.raises(Infrastructure, match=f"100 of {len(DATA):,} bytes|100 bytes read"):
        get(weights(web), tmp_path)
    assert "tiny.pyth" not in left(tmp_path) and len(web.asked) == 2


def test_a_server_that_is_not_there_is_an_outage(web: Site, tmp_path: Path) -> None:
    """Nothing listens at the address: infrastructure, not a verdict on anything."""
    entry = weights(web, address="http://127.0.0.1:9/tiny.pyth")
    with pytest.raises(Infrastructure, match="did not finish"):
        get(entry, tmp_path)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (says(200, b"<!DOCTYPE html><title>Sign in</title>"), "a web page titled .Sign in"),
        (cut(DATA, HALF, told=False), "truncated"),
        (says(200, DATA[:300] + b"\xff" + DATA[301:]), "damaged"),
        (says(200, b""), "no content"),
        (says(200, gzip.compress(DATA)), "gzip data"),
        (says(404), "404"),
        (says(403), "403"),
    ],
    ids=["web page", "cut without a length", "flipped", "empty", "gzipped", "gone", "forbidden"],
)
def test_what_is_not_the_file_is_refused(web: Site, tmp_path: Path, answer: object, word: str) -> None:
    """A page with status 200, half a file whose length nobody told, damage and refusals: a Problem, at once, and no file."""
    web.says(answer)  # type: ignore[arg-type]
    with pytest.raises(Problem, match=word) as caught:
        get(weights(web), tmp_path)
    assert not isinstance(caught.value, Infrastructure)
    assert caught.value.next and left(tmp_path) == set() and len(web.asked) == 1


def test_a_wrong_checksum_is_refused(web: Site, tmp_path: Path) -> None:
    """A whole checkpoint that is not the published one leaves nothing behind."""
    web.says(whole(DATA))
    with pytest.raises(Problem, match="checksum differs"):
        get(weights(web, sha256="0" * 64), tmp_path)
    assert left(tmp_path) == set()


def test_a_folder_that_cannot_be_written_is_an_outage(web: Site, tmp_path: Path) -> None:
    """The disk is at fault, and the answer names the variable that moves the cache."""
    (tmp_path / "k400").write_text("a file where the folder should be")
    web.says(whole(DATA))
    with pytest.raises(Infrastructure, match="SLOWFAST_VERIFY_HOME"):
        get(weights(web), tmp_path)


def test_a_page_with_a_button_is_left_to_a_person(web: Site, tmp_path: Path) -> None:
    """No request is made; the answer says where to put the file, and once it lies there it is taken."""
    entry = weights(web, by_hand=True)
    with pytest.raises(NotVerifiable, match=place(entry, tmp_path).name):
        get(entry, tmp_path)
    place(entry, tmp_path).write_bytes(DATA)
    assert get(entry, tmp_path).path.read_bytes() == DATA and web.asked == []
