"""Judges where imports come from: PYTHONPATH, names like it, and whatever stands before the package that is meant.

Called by the checks of the rung environment, on the facts of probes/environment.py. Runs on the host; imports distributions only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .distributions import installed, path_of

Facts = Mapping[str, Any]
#: Variables that look like PYTHONPATH and are read by somebody.
REAL = ("PYTHONPATH", "JYTHONPATH")


def distance(one: str, other: str) -> int:
    """How many insertions, deletions, replacements or swaps of neighbours lead from one word to the other."""
    table = {(i, -1): i + 1 for i in range(-1, len(one))} | {(-1, j): j + 1 for j in range(-1, len(other))}
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            best = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b))
            if i and j and a == other[j - 1] and one[i - 1] == b:
                best = min(best, table[i - 2, j - 2] + 1)
            table[i, j] = best
    return table[len(one) - 1, len(other) - 1]


def misspelt(names: Iterable[str]) -> list[str]:
    """The variables that somebody meant to be PYTHONPATH."""
    return [name for name in names if name not in REAL and abs(len(name) - 10) <= 2 and distance(name.upper(), "PYTHONPATH") <= 2]


def shadowed(facts: Facts, inventory: Facts, junk: set[str], here: bool) -> list[str]:
    """Sentences on every installed or standard module that something earlier on the search path takes the name of.

    A folder without __init__.py hides nothing: Python goes on looking. here: whether the current folder of the person counts too,
    as it does for `python -m`, `python -c` and the prompt.
    """
    front = [facts["here"]] if here and facts["here"] else []
    places = [*front, *facts["entries"]]
    homes = _homes(facts, inventory)
    found = []
    for name in sorted(set(homes) - junk):
        winner = next((place for place in places if place["offers"].get(name, "namespace") != "namespace"), None)
        owner, folders = homes[name]
        if winner is None or any(_within(inventory, winner["real"], folder) for folder in folders):
            continue
        ending = {"package": "", "module": ".py"}.get(winner["offers"][name], ".*")
        file = f"{path_of(inventory, winner['path']) / name}{ending}"
        why = " (in the folder you stand in)" if winner["kind"] == "here" else ""
        found.append(f"{file}{why} stands before {owner} in {folders[0]}")
    return found


def _homes(facts: Facts, inventory: Facts) -> dict[str, tuple[str, list[str]]]:
    """{importable name: (who brings it, the folders where it may lie)}; the standard library's names win over all others."""
    homes: dict[str, tuple[str, list[str]]] = {}
    real = {place["path"]: place["real"] for place in facts["entries"]}
    for distribution in installed(inventory).values():
        path = distribution["path"]
        above = str(path_of(inventory, path).parent)
        folder = facts["editable"][path]["home"] if path in facts["editable"] else real.get(above, above)
        for name in [*facts["owned"].get(path, {}).get("names", []), *distribution["top_level"]]:
            if name.isidentifier() and not name.startswith("__editable__"):
                owner, folders = homes.get(name, (f"{distribution['name']} {distribution['version']}", []))
                homes[name] = (owner, [*folders, folder])
    library = [place for place in facts["entries"] if place["kind"] == "stdlib"]
    for name, kind in (item for place in library for item in place["offers"].items()):
        if kind != "namespace" and name not in facts["builtin"]:  # what is built into the interpreter cannot be hidden
            homes[name] = (f"Python's own {name}", [place["real"] for place in library])
    return homes


def _within(inventory: Facts, path: str, folder: str) -> bool:
    """Whether path is the folder, or (for an editable project with its sources in src/) below it."""
    inner, outer = path_of(inventory, path), path_of(inventory, folder)
    return inner == outer or outer in inner.parents


def misplaced(facts: Facts, inventory: Facts) -> list[str]:
    """Sentences on packages that are imported from elsewhere than where their editable installation leads."""
    found = []
    for path, row in facts["editable"].items():
        for name, inside in row["inside"].items():
            if not inside:
                owner = next((d for d in inventory["distributions"].values() if d["path"] == path), {"name": name, "version": ""})
                found.append(f"{name} is imported from {row['origins'][name]}, while {owner['name']} is installed from {row['home']}")
    return found
