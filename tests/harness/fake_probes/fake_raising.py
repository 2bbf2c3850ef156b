"""Raises, in several ways."""


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def probe(step, how):
    step("raise " + how)
    print("noise of " + how)
    if how == "zero":
        1 / 0
    if how == "exit":
        raise SystemExit(4)
    if how == "sys.exit":
        import sys

        sys.exit("bye")
    if how == "interrupt":
        raise KeyboardInterrupt()
    if how == "cause":
        try:
            int("x")
        except ValueError as error:
            raise ImportError("the module is broken") from error
    if how == "context":
        try:
            int("x")
        except ValueError:
            raise ImportError("while handling")
    if how == "mute":
        raise Mute()
    if how == "surrogate":
        raise OSError("no such file: caf\udce9.py")
    if how == "long":
        raise ValueError("x" * 1000000)
    if how == "recursion":
        probe(lambda text: None, how)
    if how == "syntax":
        compile("def (", "<there>", "exec")
    if how == "closed":
        import sys

        sys.stdout.close()
        sys.stderr = None
        raise ValueError("without streams")
