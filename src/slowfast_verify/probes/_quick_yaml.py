"""Reads many YAML files in a fifth of the time, where that is sure to change nothing.

Runs in the target. Not a probe: the host puts this text in front of each probe that opens with `# with: quick_yaml`. Python 3.6 syntax.
"""

import contextlib
import re

#: Of these characters PyYAML's two parsers, the one in C and the slow one that SlowFast calls, make the same of any text. They do not of a tab,
#: which the one in C takes where the other refuses the file, nor of ? and ! (tests/harness/test_config_checks.py tries).
PLAIN = re.compile(r"[A-Za-z0-9 \n_.,:#()\[\]\"'/=+-]*\Z")
COLON = re.compile(r":[],]")


def plain(text):
    """Whether both parsers read this text alike."""
    return bool(PLAIN.match(text)) and not COLON.search(text)


@contextlib.contextmanager
def quick_yaml():
    """A plain text is read by the parser in C meanwhile, in a fifth of the time; whatever that refuses is put to the one that people meet."""
    import yaml

    slow, quick = yaml.safe_load, getattr(yaml, "CSafeLoader", None)

    def load(stream):
        text = stream.read() if hasattr(stream, "read") else stream
        if isinstance(text, str) and plain(text):
            try:
                return yaml.load(text, Loader=quick)
            except yaml.YAMLError:
                pass
        if hasattr(stream, "seek"):
            stream.seek(0)
            return slow(stream)
        return slow(text)

    if quick is not None:
        yaml.safe_load = load
    try:
        yield
    finally:
        yaml.safe_load = slow
