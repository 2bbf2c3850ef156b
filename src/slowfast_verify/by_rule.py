"""The stack of a cell that no file describes: its torch's release, and the pins and workarounds that matrices/space.toml gives it.

Where a stack of that torch was worked out by hand, its pins, workarounds and expectations hold here as well. Called by matrix.
"""

from __future__ import annotations

from .space import Space, within
from .stack import Axes, Pin, Stack, Torch, Wheels
from .torch_releases import PLACES


def stack(name: str, space: Space, by_hand: list[Stack]) -> Stack:
    """The stack of that name, as space.stack_name spells it."""
    rest = name.removeprefix("by-rule-")
    torch = rest.removesuffix("-without-torchaudio")
    release = space.releases[torch]
    model = next((row for row in by_hand if row.torch.version == torch), None)
    by_era = [row.known for row in space.axes.workaround if within(torch, row.torch)]
    return Stack(
        name=name,
        title=model.title if model else f"torch {torch}",
        torch=Torch(version=torch, torchvision=release.torchvision, torchaudio="" if rest != torch else release.torchaudio),
        axes=Axes(os=[], python=[], accelerator=[], installer=[], subject=[]),
        wheels=_wheels(torch, space),
        pin=[*(model.pin if model else []), *_pins(torch, space, model)],
        workarounds=list(dict.fromkeys([*(model.workarounds if model else []), *by_era])),
        expect=model.expect if model else [],
    )


def _pins(torch: str, space: Space, model: Stack | None) -> list[Pin]:
    """The pins of such torches, but for those that the stack of that torch has as well."""
    there = {(pin.name, pin.spec, str(pin.when)) for pin in model.pin} if model else set()
    return [Pin(name=row.name, spec=row.spec, reason=row.reason, known=row.known, when=row.when)
            for row in space.axes.pin if within(torch, row.torch) and (row.name, row.spec, str(row.when)) not in there]  # fmt: skip


def _wheels(torch: str, space: Space) -> list[Wheels]:
    """A row for each build of each place: the package index's where its wheel serves, else PyTorch's own."""
    release = space.releases[torch]
    rows = []
    for place in PLACES:
        os, arch = place.split("-", 1)
        for build in release.builds(place):
            room = space.room(torch, release.index[place].build if place in release.index and build in ("cpu", "mps") else build)
            common = {"when": {"os": os, "arch": arch, "accelerator": build}, "megabytes": room.megabytes, "minutes": room.minutes}
            if release.on_index(place, build):
                note = f"the package index's wheel for {place} is built for {release.index[place].build}"
                rows.append(Wheels(**common, note=note))
            else:
                layout = space.table.layout[release.layout]
                rows.append(
                    Wheels(**common, note=layout.reason, index=layout.index.format(build=build) or "default",
                           find_links=layout.find_links, local=f"+{build}" if layout.local else "")
                )  # fmt: skip
    return rows
