"""Questions that are put to a target. Every file here runs IN THE TARGET: Python 3.6 syntax, standard library first.

A probe defines `probe(step, **args)` and returns facts that JSON can carry; it asserts nothing and imports nothing of ours.
`step("import torch")` names what comes next: should the process die, the last step named is the culprit.
The host never imports these files, it sends their text.
"""
