"""Answers with something that is hard to carry."""

import os


def probe(step, what):
    step("make " + what)
    if what == "object":
        return {"value": object(), "bytes": b"\x00\xff", "set": {1}}
    if what == "tuple key":
        return {(1, 2): 3}
    if what == "circle":
        around = {}
        around["self"] = around
        return around
    if what == "list":
        return [1, 2]
    if what == "none":
        return None
    if what == "nan":
        return {"value": float("nan")}
    if what == "huge":
        return {"value": "x" * 20000000}
    if what == "large":
        return {"value": "x" * 7000000}
    if what == "surrogate":
        return {os.fsdecode(b"caf\xe9"): [os.fsdecode(b"\xff")]}
    if what == "step":
        step("s" * 20000000)
        return {}
    if what == "text":
        return {"value": "\u00e9 \u4e2d\u6587 \U0001f600 \x00 \n end"}
