"""Which of many YAML files SlowFast's own config accepts, and for those that it does not: where, and what is wrong there.

Runs in the target; PyYAML is imported when the first file is read, the subject's defaults when the first is merged. `scan` alone
needs neither torch nor the subject. A finding is {kind, file, line, column, text}: text is a sentence, file and line say where.
"""
import glob
import os
import re

#: A float to people, a text to YAML 1.1, which wants a dot and a signed exponent. yacs heals it, except inside a list.
NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


class Leaf(object):
    """One value of a file: its dotted key, its value as SlowFast's loader reads it, and where it and its sections stand."""

    def __init__(self, key, value, file, marks):
        self.key, self.value, self.file, self.marks = key, value, file, marks
        self.line, self.column = marks[-1]


def finding(kind, file, line, column, text):
    return {"kind": kind, "file": file, "line": line, "column": column, "text": text}


def loaders():
    """(fast, plain): libyaml's where there is one, and the one whose messages people see in a traceback."""
    import yaml
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader


def read(path):
    """(bytes, text, findings): decoded as UTF-8; what an editor may have left behind is noted."""
    with open(path, "rb") as handle:
        data = handle.read()
    notes = []
    if data[:3] == b"\xef\xbb\xbf":
        notes.append(finding("bom", path, 1, 1, "the file begins with a byte order mark"))
    if b"\r\n" in data:
        notes.append(finding("crlf", path, 1 + data[: data.index(b"\r\n")].count(b"\n"), None, "the lines end in CRLF"))
    try:
        return data, data.decode("utf-8-sig"), notes
    except UnicodeDecodeError as error:
        line = 1 + data[: error.start].count(b"\n")
        column = error.start - data.rfind(b"\n", 0, error.start)
        notes.append(finding("encoding", path, line, column,
                             "byte 0x%02X is not UTF-8: the file was saved in another encoding" % ord(data[error.start:error.start + 1])))
        return data, None, notes


def as_the_loader_reads(path):
    """The text as open(path) gives it, which is how fvcore opens a config: in the encoding of the locale."""
    try:
        with open(path) as handle:
            return handle.read()
    except UnicodeDecodeError:
        return None


def compose(path, text):
    """(root node, finding): the syntax tree, or the one place where it stops being YAML."""
    import yaml
    fast, plain = loaders()
    try:
        return yaml.compose(text, Loader=fast), None
    except yaml.YAMLError:
        pass
    try:
        return yaml.compose(text, Loader=plain), None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        if mark is None:
            return None, finding("syntax", path, None, None, "not YAML: %s" % problem)
        line, column = mark.line + 1, mark.column + 1
        lines = text.splitlines()
        row = lines[mark.line] if mark.line < len(lines) else ""
        indent = row[: len(row) - len(row.lstrip())]
        if "\t" in indent or "'\\t'" in problem:
            column = (indent.index("\t") if "\t" in indent else mark.column) + 1
            return None, finding("tab", path, line, column, "a tab stands where YAML allows blanks only (%s)" % problem)
        return None, finding("syntax", path, line, column, "not YAML: %s" % problem)


def leaves(path, node, plain, keys=(), marks=()):
    """Every value below a mapping: (leaves, findings of keys that stand twice in one mapping)."""
    import yaml
    found, twice, seen = [], [], {}
    for key_node, value_node in node.value:
        name = getattr(key_node, "value", None)
        name = name if isinstance(name, str) else str(name)
        dotted = ".".join(keys + (name,))
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if name in seen:
            twice.append(finding("duplicate", path, line, column,
                                 "the key %s stands here and in line %d: the last one wins and the first is lost without a word" % (dotted, seen[name])))
        seen[name] = line
        if isinstance(value_node, yaml.MappingNode) and value_node.value:
            below, more = leaves(path, value_node, plain, keys + (name,), marks + ((line, column),))
            found += below
            twice += more
        else:
            loader = plain("")
            found.append(Leaf(dotted, loader.construct_object(value_node, deep=True), path, marks + ((line, column),)))
    return found, twice


def texts_like_numbers(value):
    """The texts inside a list that people wrote as numbers: [1e-3] is a list of text."""
    if isinstance(value, str):
        return [value] if NUMBER.match(value) else []
    return [text for item in value for text in texts_like_numbers(item)] if isinstance(value, (list, tuple)) else []


def scan(path, seen=()):
    """(leaves, findings) of a file and of those that it names as _BASE_; the file's own leaves come last, as they win."""
    found, findings = [], []
    try:
        data, text, notes = read(path)
    except (OSError, IOError) as error:
        return [], [finding("missing", path, None, None, "cannot be read: %s" % (error.strerror or error))]
    findings += notes
    if text is None:
        return [], findings
    loaded = as_the_loader_reads(path)
    if loaded is None or loaded.lstrip(u"\ufeff") != text.replace("\r\n", "\n"):
        import locale
        findings.append(finding("locale", path, None, None, "the encoding of this machine (%s) reads the file as another text than UTF-8: "
                                "set PYTHONUTF8=1 or write it in ASCII" % locale.getpreferredencoding(False)))
    root, problem = compose(path, text)
    if problem:
        return [], findings + [problem]
    if root is None or not hasattr(root, "value") or root.tag != "tag:yaml.org,2002:map":
        return [], findings + [finding("syntax", path, 1, 1, "the file holds no keys")]
    own, twice = leaves(path, root, loaders()[1])
    findings += twice
    for leaf in own:
        if leaf.key == "_BASE_":
            for base in leaf.value if isinstance(leaf.value, list) else [leaf.value]:
                place = os.path.join(os.path.dirname(path), os.path.expanduser(str(base)))
                if place in seen or place == path:
                    findings.append(finding("base", path, leaf.line, leaf.column, "_BASE_ leads back to %s" % base))
                    continue
                below, more = scan(place, tuple(seen) + (path,))
                found += below
                findings += more
            continue
        found.append(leaf)
        if not isinstance(leaf.value, str):
            for text in texts_like_numbers(leaf.value):
                findings.append(finding("number", path, leaf.line, leaf.column, "%s holds the text '%s', not a number: "
                                        "inside a list YAML wants a dot and a sign in the exponent, %s" % (leaf.key, text, dotted_number(text))))
    return found, findings


def dotted_number(text):
    """1e-7 as YAML 1.1 wants it: 1.0e-7."""
    head, tail = re.split("[eE]", text)
    return "%s%se%s%s" % (head, "" if "." in head else ".0", "" if tail[0] in "+-" else "+", tail)


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


def judge(found, cfg):
    """Findings of unknown keys and of wrong types: each value alone is put to the subject's own config, so its rules decide."""
    findings, known = [], all_keys(cfg)
    table, told = set(known), set()
    for leaf in found:
        if leaf.key in table:
            try:
                cfg.merge_from_list([leaf.key, leaf.value])
            except Exception as error:
                findings.append(finding("type", leaf.file, leaf.line, leaf.column,
                                        "%s has a value of the wrong type: %s: %s" % (leaf.key, type(error).__name__, error)))
            continue
        parts = leaf.key.split(".")
        depth = next(size for size in range(len(parts)) if ".".join(parts[: size + 1]) not in table)
        first = ".".join(parts[: depth + 1])
        if first in told:
            continue
        told.add(first)
        near = nearest(first, known)
        line, column = leaf.marks[depth]
        findings.append(finding("unknown", leaf.file, line, column,
                                "the config has no key %s%s" % (first, "; the nearest is %s" % near if near else "")))
    return findings


def pointed(found, paths, folders):
    """Findings of files and folders that the values of `paths` {key: what it is} name and that are not there."""
    findings = []
    last = dict((leaf.key, leaf) for leaf in found)
    for key in sorted(paths):
        leaf = last.get(key)
        value = leaf.value if leaf else None
        if not isinstance(value, str) or not value.strip() or "://" in value:
            continue
        place = os.path.expanduser(value)
        tried = [place] if os.path.isabs(place) else [os.path.join(folder, place) for folder in folders]
        if not any(os.path.exists(path) for path in tried):
            findings.append(finding("path", leaf.file, leaf.line, leaf.column,
                                    "%s (%s) names %s, and there is no %s" % (key, paths[key], value, " and no ".join(tried))))
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
