"""`doctor --fix` and `--dry-run`: say what would change, change it, examine again, and go back if nothing improved. Runs on the host.

Called by cli.py. Carries out the actions of causes through fix.py, in the environment's own installer. What only a person can do (a
variable of the shell, a new interpreter) is said and not done.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import consultation, fix, shell, told
from .action import Action
from .ending import run_to_end
from .errors import HEALTHY, PROBLEMS_FOUND, TOOL_FAILED, Infrastructure, Problem
from .examination import Order
from .findings import Cause, Examination
from .knowledge import RUNGS
from .language import Language, chosen, of
from .snapshot import Snapshot, frozen
from .staged import first_level
from .subject import subject

Examine = Callable[[Order], Examination]
Say = Callable[[str], None]
MINUTES = 60  # an installer may compile
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "by hand only": "nothing here can be mended by a command: the fixes above are for you",
        "unchanged": "nothing was changed",
        "nothing": "nothing to mend",
        "would": "what --fix would do:",
        "by hand": " (by hand)",
        "unknown": "nothing is known that mends it",
        "agreed": "Run these commands? [y/N] ",
        "kept": "kept what is needed to go back: {}",
        "impossible": "this fix cannot be carried out: {}",
        "interrupted": "interrupted",
        "no better": "nothing improved:",
        "mended": "mended: {}",
        "left": "still there: {}",
        "shell": "and in your shell, where no tool can do it: {}",
        "list": "the list of what was installed before, and copies of edited files: {}",
        "back": "taken back: the environment is what it was ({} distributions, the same versions)",
    },
    "zh": {
        "by hand only": "这里没有能用命令修好的：上面的修复要由你自己做",
        "unchanged": "没有改动任何东西",
        "nothing": "没有需要修复的",
        "would": "--fix 会做的事:",
        "by hand": "（手工）",
        "unknown": "还不知道怎样修复",
        "agreed": "执行这些命令吗？[y/N] ",
        "kept": "恢复所需的内容已保存: {}",
        "impossible": "这一修复无法执行: {}",
        "interrupted": "已中断",
        "no better": "没有任何改善:",
        "mended": "已修好: {}",
        "left": "仍然存在: {}",
        "shell": "还要在你的 shell 里执行（工具做不到）: {}",
        "list": "之前的安装清单和被修改文件的副本: {}",
        "back": "已撤回: 环境恢复原状（{} 个发行包，版本相同）",
    },
}


def word(key: str) -> str:
    """One of our own sentences, in the language of the person."""
    return WORDS[chosen()][key]


@dataclass(frozen=True)
class Step:
    """One action and the cause that it mends."""

    cause: Cause
    action: Action


def does(action: Action) -> bool:
    """Whether an action does something by itself; advice, SlowFast overrides and what needs an unknown checkout are for the person."""
    return "{checkout}" not in action.model_dump_json() and bool(
        action.install or action.uninstall or action.edit or action.file or action.remove or action.run or action.env
    )


def plan(found: Examination) -> list[Step]:
    """What would be carried out, cause by cause, no action twice."""
    steps: list[Step] = []
    for cause in found.causes:
        steps += [Step(cause, action) for action in cause.actions if does(action) and action not in [step.action for step in steps]]
    return steps


def run(order: Order, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """The two options of the command; returns its exit status."""
    found = consultation.hold(order, as_json=as_json)
    if dry_run:
        if not as_json:
            print("\n".join(("", *written(found))))
        return consultation.exit_code(found)
    steps = plan(found)
    if not found.causes:
        return consultation.exit_code(found)
    if not steps:
        print("\n" + word("by hand only"), file=sys.stderr)
        return PROBLEMS_FOUND
    print("\n".join(("", *written(found))), file=sys.stderr)
    if not yes and not _agreed():
        print(word("unchanged"), file=sys.stderr)
        return PROBLEMS_FOUND
    return Repair(order, found, steps).go()


def written(found: Examination) -> list[str]:
    """The commands as a person would type them, each under the cause that it mends."""
    if not found.causes:
        return [f"# {word('nothing')}"]
    lines = [f"# {word('would')}"]
    for cause in found.causes:
        title = told.title(cause, chosen())
        fix, able = of(chosen(), cause.fix, cause.fix_zh), any(map(does, cause.actions))
        lines.append(f"# {title}" if able else f"# {title}{word('by hand')}")
        lines += fix if able else [f"#   {line}" for line in fix or [word("unknown")]]
    return lines


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise Problem("--fix asks before it changes anything, and there is nobody to answer", where="standard input is no terminal",
                      next="slowfast-verify doctor --fix --yes TARGET   (or --dry-run)")  # fmt: skip
    print(word("agreed"), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def improved(before: Examination, after: Examination, steps: list[Step]) -> bool:
    """Whether a cause that was mended is gone, and none has come that stands as low on the ladder."""
    old, new = {cause.id for cause in before.causes}, {cause.id: cause for cause in after.causes}
    gone = [step.cause for step in steps if step.cause.id not in new]
    lowest = min((RUNGS.index(cause.rung) for cause in gone), default=-1)
    return bool(gone) and not any(RUNGS.index(cause.rung) <= lowest for number, cause in new.items() if number not in old)


class Repair:
    """One repair of one environment, from the snapshot to the second verdict."""

    def __init__(self, order: Order, found: Examination, steps: list[Step], examine: Examine | None = None, say: Say | None = None) -> None:
        self.order, self.found, self.steps = order, found, steps
        self.examine = examine or (lambda wanted: consultation.hold(wanted, quiet=True))
        self.say: Say = say or (lambda text: print(text, file=sys.stderr, flush=True))

    def go(self) -> int:
        """Change, verify, keep or take back; returns the exit status of what is there afterwards."""
        inventory = self._inventory()
        if not (self.order.target.local or self.order.target.kind in ("conda", "conda-prefix")):
            raise Problem("--fix mends environments of this machine only", where=self.order.target.name,
                          next="run the commands above there")  # fmt: skip
        snapshot = Snapshot.take(inventory)
        self.say(word("kept").format(snapshot.place))
        place = self._place(inventory, snapshot)
        try:
            for step in self.steps:
                snapshot.keep(self._touched(step.action, place))
                fix.carry_out(step.action, place, self._runner(snapshot, place), step.cause.id)
        except (Problem, Infrastructure, OSError) as problem:
            self.say(word("impossible").format(problem))
            return self._back(snapshot, inventory)
        except KeyboardInterrupt:
            self.say(word("interrupted"))
            self._back(snapshot, inventory)
            raise
        after = self.examine(replace(self._anew(), target=self.order.target.with_env(place.variables, clean=self.order.target.clean)))
        if not improved(self.found, after, self.steps):
            self.say(word("no better"))
            self.say("\n".join(f"  [{cause.rung}] {told.title(cause, chosen())}" for cause in after.causes) or f"  {after.verdict}")
            return self._back(snapshot, inventory)
        return self._kept(snapshot, place, after)

    def _kept(self, snapshot: Snapshot, place: fix.Place, after: Examination) -> int:
        gone = {step.cause.id for step in self.steps} - {cause.id for cause in after.causes}
        self.say(word("mended").format(", ".join(sorted(gone))))
        for cause in after.causes:
            self.say(word("left").format(f"[{cause.rung}] {told.title(cause, chosen())}"))
        for key, value in place.variables.items():
            if os.environ.get(key) != value:
                self.say(word("shell").format(shell.setting(key, value, shell.own_shell())))
        snapshot.forget(keep_list=True)
        self.say(word("list").format(snapshot.place))
        return HEALTHY if not after.causes else PROBLEMS_FOUND

    def _back(self, snapshot: Snapshot, inventory: dict[str, Any]) -> int:
        snapshot.restore()
        now = frozen(self._inventory())
        if now != frozen(inventory):
            raise Problem("the environment is not what it was before", where=str(snapshot.place),
                          cause=f"differs: {', '.join(sorted(set(now) ^ set(frozen(inventory))))}",
                          next=f"install what {snapshot.place / 'frozen.txt'} lists", code=TOOL_FAILED)  # fmt: skip
        snapshot.forget()
        self.say(word("back").format(len(now)))
        return PROBLEMS_FOUND

    def _anew(self) -> Order:
        return replace(self.order, began=time.monotonic(), say=lambda rung, text: None, show=lambda examination: None)

    def _inventory(self) -> dict[str, Any]:
        seen = first_level(self.order.target, subject(self.order.subject.partition("@")[0]))["inventory"]
        if seen.facts is None:
            raise Problem("this Python does not start, and nothing can be installed into it", where=self.order.target.name,
                          next="follow the fix above")  # fmt: skip
        return seen.facts

    def _place(self, inventory: dict[str, Any], snapshot: Snapshot) -> fix.Place:
        from .prescription import Prescriber

        prescriber = Prescriber(inventory, {}, subject(self.order.subject.partition("@")[0]))
        return fix.Place(
            installer=prescriber.installer, python=Path(inventory["executable"]), env=Path(inventory["prefix"]), site=Path(prescriber.site),
            checkout=Path(inventory["checkout"]) if inventory["checkout"] else None, folder=snapshot.place,
            variables={"PYTHONPATH": os.environ["PYTHONPATH"]} if os.environ.get("PYTHONPATH") else {},
        )  # fmt: skip

    @staticmethod
    def _touched(action: Action, place: fix.Place) -> list[Path]:
        files = [place.checkout / edit.file for edit in action.edit if place.checkout]
        return [*files, *(Path(place.fill(row.path)) for row in action.file), *(Path(place.fill(path)) for path in action.remove)]

    def _runner(self, snapshot: Snapshot, place: fix.Place) -> fix.Runner:
        def go(label: str, argv: list[str]) -> None:
            self.say(f"  {' '.join(argv)}")
            log = snapshot.place / "log.txt"
            with log.open("ab") as stream:
                code = run_to_end(argv, stream, fix.environ(place), MINUTES * 60)
            if code:
                said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-6:]
                raise Problem(f"the command ended with status {code}", where=" ".join(argv), cause="\n    ".join(said), code=PROBLEMS_FOUND)

        return go
