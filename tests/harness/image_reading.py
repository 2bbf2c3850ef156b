"""Looks into an image as whoever gets it could: all its layers, and all that is written about it."""

from __future__ import annotations

import io
import tarfile

from slowfast_verify import engine


def everything_in(name: str) -> bytes:
    """All layers and all metadata of an image, one after another."""
    whole = b""
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.client().images.get(name).save()))) as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            data = stream.read() if stream else b""
            whole += data  # a layer is a tar file without compression: its texts stand in it as they are
    return whole + str(engine.client().api.history(name)).encode()
