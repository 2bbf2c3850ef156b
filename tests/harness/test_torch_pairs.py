"""The tables of what belongs together: torch, torchvision, and what either asks for."""

from __future__ import annotations

import pytest

from slowfast_verify import torch_pairs
from slowfast_verify.matrix import default


def test_stacks_are_pairs() -> None:
    """What the stacks install together was released together, by the table that judges others."""
    for name, stack in default().stacks.items():
        assert torch_pairs.is_pair(stack.torch.version, stack.torch.torchvision, []), name


def test_pairs_ascend_and_are_unique() -> None:
    """A torch stands in the table once, in order: a typing error would break one or the other."""
    from packaging.version import Version

    rows = torch_pairs.pairs().pair
    for values in ([row.torch for row in rows], [row.torchvision for row in rows]):
        assert values == sorted(set(values), key=Version)


@pytest.mark.parametrize(
    ("torch", "vision", "requires", "verdict"),
    [
        ("1.8.0+cu111", "0.9.0+cu111", [], True), ("1.8.0", "0.9.1", [], False), ("1.10.0", "0.11.0", [], True),
        ("2.15.0", "0.29.2", ["torch (>=2.14.0)"], True), ("2.13.0", "0.29.2", [], False), ("2.14.0", "0.28.0", [], False),
        ("2.1.0a0+git1", "0.16.0a0", [], None), ("1.8.0", "0.9.0", ["torch (==1.8.1)"], False),
    ],
)  # fmt: skip
def test_pairing(torch: str, vision: str, requires: list[str], verdict: bool | None) -> None:
    """torchvision's own word comes before the table; versions that neither knows stay undecided."""
    assert torch_pairs.is_pair(torch, vision, requires) is verdict
