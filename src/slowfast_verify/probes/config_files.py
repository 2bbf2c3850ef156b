# with: quick_yaml
# ruff: noqa: F821 (quick_yaml is in _quick_yaml.py, which the host puts in front)
"""Which of many YAML files SlowFast's own config accepts, and for those that it does not: where, and what is wrong there.

Runs in the target; PyYAML is imported when the first file is read, the subject's defaults when the first is merged. `scan` alone
needs neither torch nor the subject. A finding is {kind, file, line, column, text}: text is a sentence, file and line say where.
"""

import glob
import locale
import os
import re

#: A float to people, a text to YAML 1.1, which wants a dot and a signed exponent. yacs heals it, except inside a list.
NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


class Leaf(object):
    """One value of a file: its dotted key, its value as SlowFast's loader reads it, and where its sections and it stand."""

    def __init__(self, key, value, places):
        self.key, self.value, self.places, self.at = key, value, places, places[-1]


def finding(kind, at, text):
    return {"kind": kind, "file": at[0], "line": at[1], "column": at[2], "text": text}


def read(path):
    """(text, findings): decoded as UTF-8, None where that fails; what an editor or another system may have left behind is noted."""
    with open(path, "rb") as handle:
        data = handle.read()
    notes = []
    if data[:3] == b"\xef\xbb\xbf":
        notes.append(finding("bom", (path, 1, 1), "the file begins with a byte order mark"))
    if b"\r\n" in data:
        notes.append(finding("crlf", (path, 1 + data[: data.index(b"\r\n")].count(b"\n"), None), "the lines end in CRLF"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = (path, 1 + data[: error.start].count(b"\n"), error.start - data.rfind(b"\n", 0, error.start))
        wrong = ord(data[error.start : error.start + 1])
        return None, notes + [finding("encoding", at, "byte 0x%02X is not UTF-8: the file was saved in another encoding" % wrong)]
    try:
        with open(path) as handle:  # the way fvcore opens a config: in the encoding of the locale
            loaded = handle.read()
    except UnicodeDecodeError:
        loaded = ""
    if loaded.lstrip("\ufeff") != text.replace("\r\n", "\n").replace("\r", "\n"):
        told = "the encoding of this machine, %s, makes another text of the file than UTF-8: set PYTHONUTF8=1, or write ASCII"
        notes.append(finding("locale", (path, None, None), told % locale.getpreferredencoding(False)))
    return text, notes


def compose(path, text):
    """(root node, finding): the syntax tree, or the one place where it stops being YAML."""
    import yaml

    try:
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), None
    except yaml.YAMLError:
        pass
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader), None  # slower, and its words are those of the tracebacks that people see
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        if mark is None:
            return None, finding("syntax", (path, None, None), "not YAML: %s" % problem)
        lines = text.splitlines()
        row = lines[mark.line] if mark.line < len(lines) else ""
        indent = row[: len(row) - len(row.lstrip())]
        if "\t" in indent or "'\\t'" in problem:
            column = indent.index("\t") if "\t" in indent else mark.column
            return None, finding("tab", (path, mark.line + 1, column + 1), "a tab stands where YAML allows blanks only (%s)" % problem)
        return None, finding("syntax", (path, mark.line + 1, mark.column + 1), "not YAML: %s" % problem)


def leaves(path, node, keys=(), places=(), above=()):
    """Every value below a mapping: (leaves, findings of keys that stand twice in one mapping)."""
    import yaml

    found, odd, seen = [], [], {}
    for key_node, value_node in node.value if node not in above else []:  # an alias may lead back to what it stands in
        name = key_node.value if isinstance(key_node.value, str) else str(key_node.value)
        at = (path, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        inside = (keys, places) if key_node.tag == "tag:yaml.org,2002:merge" else (keys + (name,), places + (at,))
        dotted = ".".join(inside[0])
        if name in seen:
            lost = "the key %s stands here and in line %d: the last one wins and the first is lost without a word" % (dotted, seen[name])
            odd.append(finding("duplicate", at, lost))
        seen[name] = at[1]
        if isinstance(value_node, yaml.MappingNode) and value_node.value:
            below, more = leaves(path, value_node, inside[0], inside[1], above + (node,))
            found += below
            odd += more
            continue
        try:
            found.append(Leaf(dotted, yaml.SafeLoader("").construct_object(value_node, deep=True), places + (at,)))
        except (yaml.YAMLError, ValueError) as error:
            odd.append(
                finding("syntax", at, "%s has a value that YAML cannot make: %s" % (dotted, getattr(error, "problem", None) or error))
            )
    return found, odd


def texts_like_numbers(value):
    """The texts inside a list that people wrote as numbers: [1e-3] is a list of text."""
    if isinstance(value, str):
        return [value] if NUMBER.match(value) else []
    return [text for item in value for text in texts_like_numbers(item)] if isinstance(value, (list, tuple)) else []


def dotted_number(text):
    """1e-7 as YAML 1.1 wants it: 1.0e-7."""
    head, tail = re.split("[eE]", text)
    return "%s%se%s%s" % (head, "" if "." in head else ".0", "" if tail[0] in "+-" else "+", tail)


def scan(path, above=()):
    """(leaves, findings) of a file and of those that it names as _BASE_; the file's own leaves come last, as they win."""
    try:
        text, findings = read(path)
    except (OSError, IOError) as error:
        return [], [finding("missing", (path, None, None), "cannot be read: %s" % (error.strerror or error))]
    if text is None:
        return [], findings
    root, problem = compose(path, text)
    if problem:
        return [], findings + [problem]
    if root is None or root.tag != "tag:yaml.org,2002:map":
        return [], findings + [finding("syntax", (path, 1, 1), "the file holds no keys")]
    found, (own, twice) = [], leaves(path, root)
    findings = findings + twice
    for base in [base for leaf in own if leaf.key == "_BASE_" for base in (leaf.value if isinstance(leaf.value, list) else [leaf.value])]:
        place = os.path.join(os.path.dirname(path), os.path.expanduser(str(base)))
        if place == path or place in above:
            findings.append(finding("base", (path, None, None), "_BASE_ leads back to %s" % base))
            continue
        below, more = scan(place, above + (path,))
        found += below
        findings += more
    for leaf in own:
        for text in texts_like_numbers(leaf.value) if isinstance(leaf.value, list) else []:
            told = "%s holds the text '%s', not a number: YAML wants a dot and a sign, %s, and nothing mends it inside a list"
            findings.append(finding("number", leaf.at, told % (leaf.key, text, dotted_number(text))))
    return found + [leaf for leaf in own if leaf.key != "_BASE_"], findings


def all_keys(node, keys=()):
    """Every dotted key of the defaults, sections too."""
    found = []
    for name, value in node.items():
        found.append(".".join(keys + (name,)))
        if isinstance(value, dict):
            found += all_keys(value, keys + (name,))
    return found


def nearest(key, known):
    """The known key that was probably meant: the same word in another section, a longer or a similar one; '' when there is none."""
    import difflib

    section, _, name = key.rpartition(".")
    inside = [other for other in known if other.rpartition(".")[0] == section]
    longer = [other for other in inside if other.rpartition(".")[2].startswith(name)]
    elsewhere = [other for other in known if other.rpartition(".")[2] == name]
    close = difflib.get_close_matches(key, inside, 1, 0.8) or longer or elsewhere or difflib.get_close_matches(key, known, 1, 0.6)
    return close[0] if close else ""


def value_of(node, parts):
    for part in parts:
        node = node[part]
    return node


def wrong_type(leaf, default, error):
    """What the value is, what it should be, and how to write it if that is plain."""
    value = leaf.value
    if isinstance(default, dict):
        given = "nothing" if value is None else "one value"
        return "%s is a section and is given %s: are its keys indented below it?" % (leaf.key, given)
    if value is None or not isinstance(error, ValueError):
        return "%s cannot be %r: %s: %s" % (leaf.key, value, type(error).__name__, error)
    kinds = (leaf.key, value, type(value).__name__, default, type(default).__name__)
    plain = isinstance(default, float) and type(value) is int
    return "%s is %r (%s), and must be of the type of its default, %r (%s)" % kinds + (": write %r" % float(value) if plain else "")


def judge(found, cfg):
    """Findings of unknown keys and of wrong types: each value alone is put to the subject's own config, so its rules decide."""
    findings, known, told = [], all_keys(cfg), set()
    table = set(known)
    for leaf in found:
        parts = leaf.key.split(".")
        if leaf.key in table:
            default = value_of(cfg, parts)
            try:
                cfg.merge_from_list([leaf.key, leaf.value])
            except Exception as error:
                findings.append(finding("type", leaf.at, wrong_type(leaf, default, error)))
            continue
        depth = next(size for size in range(len(parts)) if ".".join(parts[: size + 1]) not in table)
        first = ".".join(parts[: depth + 1])
        if first not in told:
            near = nearest(first, known)
            text = "the config has no key %s%s" % (first, "; the nearest is %s" % near if near else "")
            findings.append(finding("unknown", leaf.places[depth], text))
        told.add(first)
    return findings


def pointed(found, paths, folders):
    """Findings of files and folders that the values of `paths` {key: what it is} name and that are not there."""
    findings = []
    last = dict((leaf.key, leaf) for leaf in found)
    for key in sorted(set(paths) & set(last)):
        value = last[key].value
        if not isinstance(value, str) or not value.strip() or "://" in value:
            continue
        place = os.path.expanduser(value)
        tried = [place] if os.path.isabs(place) else [os.path.join(folder, place) for folder in folders]
        if not any(os.path.exists(path) for path in tried):
            text = "%s (%s) names %s, and there is no %s" % (key, paths[key], value, " and no ".join(tried))
            findings.append(finding("path", last[key].at, text))
    return findings


def assertion(error):
    """What a bare `assert` of the subject asked for, with the values that it met: its message is empty."""
    import linecache
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    text = linecache.getline(frames[-1][0], frames[-1][1]).strip() if frames else ""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    cfg, values = (frame.tb_frame.f_locals.get("cfg") if frame else None), []
    for dotted in re.findall(r"\bcfg\.([A-Z][\w.]*)", text):
        here = cfg
        for part in dotted.split("."):
            here = here.get(part) if isinstance(here, dict) else None
        values.append("%s is %r" % (dotted, here))
    return "%s%s%s" % (error or "", text, " (%s)" % ", ".join(sorted(set(values))) if values else "")


def merge(path, module):
    """None when the subject's config takes the whole file, else {stage, type, message}."""
    cfg = module.get_cfg()
    try:
        with quick_yaml():
            cfg.merge_from_file(path)
    except Exception as error:
        return {"stage": "merge", "type": type(error).__name__, "message": str(error)[:2000]}
    try:
        getattr(module, "assert_and_infer_cfg", lambda taken: taken)(cfg)
    except AssertionError as error:
        return {"stage": "assert", "type": "AssertionError", "message": assertion(error)[:2000]}
    except Exception as error:
        return {"stage": "assert", "type": type(error).__name__, "message": str(error)[:2000]}
    return None


def examine(path, module, paths, folders, thorough):
    """{error, findings} of one file. Looked at line by line where it was refused, or if thorough: most files are simply right."""
    error = merge(path, module)
    if not (thorough or (error and error["stage"] == "merge")):
        return {"error": error, "findings": []}
    found, findings = scan(path)
    findings = findings + judge(found, module.get_cfg())
    if thorough:
        findings = findings + pointed(found, paths, folders)
    return {"error": error, "findings": findings}


def probe(step, defaults, checkout="", patterns=(), ours="", omit=(), given="", paths=None):
    """Returns upstream, ours {name: {error, findings}} and given (the same, or None).

    defaults: the module of get_cfg. patterns: globs below the checkout; ours: a glob of files made for this subject, but for the
    names in omit. given: a file of the user's; paths: the keys whose values are files, {key: what it is}.
    """
    import importlib

    step("import yaml")
    import yaml

    step("import " + defaults)
    module = importlib.import_module(defaults)
    facts = {"yaml": yaml.__version__, "upstream": {}, "ours": {}, "given": None}
    if checkout:
        names = set(path for pattern in patterns for path in glob.glob(os.path.join(glob.escape(checkout), pattern), recursive=True))
        for path in sorted(names):
            name = os.path.relpath(path, checkout).replace(os.sep, "/")
            step("merge " + name)
            facts["upstream"][name] = examine(path, module, {}, [], False)
    for path in sorted(glob.glob(ours)) if ours else []:
        if os.path.basename(path) not in omit:
            step("merge " + path)
            facts["ours"][os.path.basename(path)] = examine(path, module, {}, [], False)
    if given:
        step("merge " + given)
        folders = [folder for folder in (checkout, os.path.dirname(os.path.abspath(given))) if folder]
        facts["given"] = examine(given, module, paths or {}, folders, True)
    return facts
