"""`slowfast-verify recipe`: what to type on this machine or another. What is printed is a script: all but its commands are comments."""

from __future__ import annotations

from typing import Annotated

import typer


def recipe(
    question: Annotated[list[str] | None, typer.Argument(help='in words: "Windows 11, RTX 4090, Python 3.10"; none: this machine')] = None,
    os: Annotated[str, typer.Option(help="linux, windows or macos")] = "",
    arch: Annotated[str, typer.Option(help="x86_64, aarch64 or arm64")] = "",
    python: Annotated[str, typer.Option(metavar="X.Y")] = "",
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, or a release: cu118")] = "",
    gpu: Annotated[str, typer.Option(metavar="NAME", help="'RTX 4090': decides which CUDA builds can be meant")] = "",
    installer: Annotated[str, typer.Option(help="uv, pip or conda")] = "",
    subject: Annotated[str, typer.Option(metavar="NAME[@REVISION]", help="what is to be installed")] = "",
    torch: Annotated[str, typer.Option(metavar="VERSION")] = "",
    shell: Annotated[str, typer.Option(help="bash, powershell, cmd, dockerfile or conda")] = "",
    cell: Annotated[str, typer.Option(metavar="ID", help="the recipe of this very cell")] = "",
    no_compiler: Annotated[bool, typer.Option("--no-compiler", help="this machine has none: detectron2 without its compiled part")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document, with the commands for every shell")] = False,
    chinese: Annotated[bool, typer.Option("--zh", help="in Chinese")] = False,
) -> None:
    """Print what to type: the nearest cell that ran, with its pins, its workarounds, its evidence, and what differs from what was asked."""
    from .. import nearest, recipe_text, system
    from ..asking import wanted_of
    from ..language import chosen
    from ..matrix import default
    from ..recipe import recipe_for

    name, _, revision = subject.partition("@")
    options = {
        "os": os, "arch": arch, "python": python, "accelerator": accelerator, "gpu": gpu, "installer": installer, "subject": name,
        "revision": revision, "torch": torch, "shell": shell,
    }  # fmt: skip
    found = nearest.answer(wanted_of(" ".join(question or []), options, cell), only=cell)
    lost = system.lacking(default().cell(found.recipe.cell), default()) if found.wanted.detected and not cell else []
    if no_compiler or any(row.compiler for row in lost):
        other = recipe_for(found.recipe.cell, compiler=False).model_copy(update={"differences": found.recipe.differences})
        said = [] if no_compiler else ["no C++ compiler: detectron2 without its compiled part, which recognition does not need"]
        wanted = found.wanted.model_copy(update={"detected": [*found.wanted.detected, *said]})
        found = found.model_copy(update={"recipe": other, "wanted": wanted})
    if rest := [row for row in lost if not row.compiler]:
        needs = [*found.recipe.needs, f"{', '.join(row.what for row in rest)}, which this machine lacks: {system.command(rest)}"]
        found = found.model_copy(update={"recipe": found.recipe.model_copy(update={"needs": needs})})
    form = recipe_text.form_of(found, shell)
    typer.echo(recipe_text.as_json(found) if as_json else recipe_text.printed(found, form, chosen(chinese)), nl=as_json)
