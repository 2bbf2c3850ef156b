"""A list of steps written as a script for one shell: bash, PowerShell, cmd, or a Dockerfile. Runs on the host; carries nothing out.

Words may contain {python}, {site} (of the environment), {env}, {checkout} and {here} (the folder that the script is started in, absolute).
Everything else that a script says is a comment in its own language, so that what is printed can be run as it stands.
"""

from __future__ import annotations

import re
import shlex
from typing import Literal

from .data import Row

Form = Literal["bash", "powershell", "cmd", "dockerfile", "conda"]
FORMS: tuple[Form, ...] = ("bash", "powershell", "cmd", "dockerfile", "conda")
ENV = "slowfast-env"
WINDOWS: tuple[Form, ...] = ("powershell", "cmd")
IN_IMAGE = "/recipe"
HERE = {"bash": '"$PWD"', "conda": '"$PWD"', "powershell": "$PWD", "cmd": "%CD%", "dockerfile": IN_IMAGE}


class Say(Row):
    """A comment."""

    text: str


class Do(Row):
    """A command, as an argv."""

    argv: list[str]


class Write(Row):
    """A file of ASCII text, below the folder that the script is started in."""

    path: str
    text: str


class Variable(Row):
    """An environment variable for everything after it, in the place of what it was. values: more than one make a search path."""

    name: str
    values: list[str]


class Link(Row):
    """A link to a folder, with the folders above it."""

    path: str
    to: str


Step = Say | Do | Write | Variable | Link


class Places(Row):
    """Where things lie, relative to the folder that the script is started in. python: `3.8`, for the path of site-packages."""

    python: str
    windows: bool
    checkout: str = "checkout"
    conda: bool = False

    def fill(self, word: str, form: Form) -> str:
        """The word with its places, but for {here}."""
        table = {"env": ENV, "checkout": self.checkout, "python": self._python(form), "site": self._site()}
        return re.sub(r"\{(env|checkout|python|site)\}", lambda hit: table[hit[1]], word)

    def activated(self, argv: list[str]) -> list[str]:
        """The command; in a conda environment its Python is started through `conda run`, which sets what activating it would."""
        if self.conda and argv[0] == "{python}":
            return ["conda", "run", "--no-capture-output", "--prefix", f"./{ENV}", "python", *argv[1:]]
        return argv

    def _python(self, form: Form) -> str:
        if not self.windows:
            return f"{ENV}/bin/python"
        inside = "python.exe" if self.conda else "Scripts\\python.exe"
        return f".\\{ENV}\\{inside}" if form == "powershell" else f"{ENV}\\{inside}"

    def _site(self) -> str:
        return f"{ENV}/Lib/site-packages" if self.windows else f"{ENV}/lib/python{self.python}/site-packages"


def written(steps: list[Step], places: Places, form: Form, base: str = "") -> str:
    """The script. base: the image that a Dockerfile starts from."""
    lines = [f"FROM {base}", f"WORKDIR {IN_IMAGE}"] if form == "dockerfile" else []
    for step in steps:
        lines += _lines(step, places, form)
    return "\n".join(lines) + "\n"


def comment(text: str, form: Form) -> list[str]:
    """A text as comment lines of that language."""
    mark = "rem " if form == "cmd" else "# "
    return [(mark + line).rstrip() for line in text.splitlines()]


def commands_in(text: str, form: Form) -> str:
    """A script without its comments and empty lines: what two runs have to have in common to be the same recipe."""
    mark = "rem" if form == "cmd" else "#"
    return "\n".join(line for line in text.splitlines() if line.strip() and not re.match(rf"{mark}(\s|$)", line)) + "\n"


def _lines(step: Step, places: Places, form: Form) -> list[str]:
    if isinstance(step, Say):
        return comment(places.fill(step.text, form).replace("{here}", HERE[form].strip('"')), form)
    if isinstance(step, Do):
        line = " ".join(_word(places.fill(part, form), form) for part in places.activated(step.argv))
        return [_prefixed(line, form)]
    if isinstance(step, Write):
        return _file(places.fill(step.path, form), places.fill(step.text, form), form)
    if isinstance(step, Variable):
        return [_variable(step, places, form)]
    return [_link(places.fill(step.path, form), places.fill(step.to, form), form)]


def _prefixed(line: str, form: Form) -> str:
    if form == "dockerfile":
        return f"RUN {line}"
    return f"& {line}" if form == "powershell" and line.startswith(("'", '"')) else line


def _word(word: str, form: Form) -> str:
    """One argument, quoted for the shell; {here} is put in unquoted text."""
    if form == "cmd":
        word = word.replace("{here}", HERE[form]).replace("%", "%%") if "{here}" not in word else word.replace("{here}", HERE[form])
        return f'"{word}"' if not word or set(word) & set(" <>|&^();,=!") else word
    if form == "powershell":
        if "{here}" in word:
            return '"' + re.sub(r"([`$\"])", r"`\1", word.replace("{here}", "\0")).replace("\0", "$PWD") + '"'
        plain = re.fullmatch(r"[\w+=:./\\-][\w@%+=:./\\-]*", word)
        return word if plain else "'" + word.replace("'", "''") + "'"
    return HERE[form].join(shlex.quote(part) if part else "" for part in word.split("{here}")) if "{here}" in word else shlex.quote(word)


def _file(path: str, text: str, form: Form) -> list[str]:
    """The lines that write a file."""
    lines = text.rstrip("\n").split("\n")
    if form == "powershell":
        return [f"@'\n{text.rstrip(chr(10))}\n'@ | Out-File -Encoding ascii {_word(path, form)}"]
    if form == "cmd":
        target = path.replace("/", "\\")
        return [f"{'>' if not number else '>>'}{target} echo.{_escaped(line)}" for number, line in enumerate(lines)]
    if form == "dockerfile":
        words = " \\\n    ".join(shlex.quote(line) for line in lines)
        return [f"RUN printf '%s\\n' \\\n    {words} \\\n    > {shlex.quote(path)}"]
    return [f"cat > {shlex.quote(path)} <<'END'\n" + "\n".join(lines) + "\nEND"]


def _escaped(line: str) -> str:
    """A line as cmd's echo gives it back: quotes are escaped too, or what is special would not be between them."""
    return re.sub(r'([&|<>^()"])', r"^\1", line).replace("%", "%%")


def _variable(step: Variable, places: Places, form: Form) -> str:
    value, name = (";" if places.windows else ":").join(places.fill(value, form) for value in step.values), step.name
    if form == "cmd":
        return f'set "{name}={value.replace("/", chr(92)).replace("{here}", HERE[form]) if "{here}" in value else value}"'
    if form == "powershell":
        value = value.replace("/", "\\") if "{here}" in value else value
        return f"$env:{name} = {_word(value, form) if '{here}' in value else _quoted(value)}"
    if form == "dockerfile":
        return f"ENV {name}={value.replace('{here}', HERE[form])}"
    return f"export {name}={_word(value, form)}"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _link(path: str, to: str, form: Form) -> str:
    above = path.rpartition("/")[0]
    if form == "cmd":
        path, above, to = (part.replace("/", "\\") for part in (path, above, to))
        return f'mkdir "{above}" & mklink /J "{path}" "{to.replace("{here}", HERE[form])}"'
    if form == "powershell":
        return f"New-Item -ItemType Junction -Force -Path {_word(path, form)} -Target {_word(to, form)}"
    return _prefixed(f"mkdir -p {shlex.quote(above)} && ln -sfn {_word(to, form)} {shlex.quote(path)}", form)
