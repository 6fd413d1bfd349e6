"""The node cases of ONNX's backend tests, with our layers, losses and optimisers as the backend.

The cases come with the ``onnx`` package: for each a model of one node, inputs, and the outputs of its
reference. Those of every node type that shoal has are run; a case that asks for something that shoal
does not have is skipped with the reason, and stands in ``onnx_skipped``.
"""

import warnings

import numpy as np
import onnx
import pytest

from onnx_nodes import HANDLERS, LOSSES, OPTIMISERS, Unfit
from onnx_skipped import SKIPPED


def _cases():
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their references overflow on purpose
        found = collect_testcases(None)
    single = [case for case in found if len(case.model.graph.node) == 1]
    return {c.name: c for c in single if c.model.graph.node[0].op_type in HANDLERS}


CASES = _cases()
REASONS = {f"test_{name}": reason for reason, names in SKIPPED.items() for name in names.split()}


def compute(case):
    """Our outputs and those wanted, in pairs; outputs that ours does not give are left out."""
    node = case.model.graph.node[0]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    attributes["outputs"] = sum(bool(name) for name in node.output)
    pairs = []
    for inputs, wanted in case.data_sets:
        if not all(isinstance(x, np.ndarray | np.generic) for x in inputs):
            raise Unfit("sequences and optional values")
        given = dict(zip([n for n in node.input if n], inputs, strict=False))
        arguments = [np.asarray(given[n]) if n else None for n in node.input]
        outputs = HANDLERS[node.op_type](attributes, *arguments)
        named = [y for y, name in zip(outputs, node.output, strict=False) if name]
        pairs += [(y, np.asarray(w)) for y, w in zip(named, wanted, strict=True) if y is not None]
    assert pairs
    return pairs


@pytest.mark.table(every=4)
@pytest.mark.parametrize("name", CASES)
def test_node(name):
    case = CASES[name]
    try:
        pairs = compute(case)
    except Unfit as reason:
        assert REASONS.get(name) == str(reason)
        pytest.skip(f"shoal does not have: {reason}")
    assert name not in REASONS
    for ours, wanted in pairs:
        assert ours.shape == wanted.shape
        assert ours.dtype == wanted.dtype
        # In bfloat16, with 8 bits, roundings on the way decide the last two.
        rtol = 2**-6 if wanted.dtype.name == "bfloat16" else case.rtol
        kind = np.float64 if wanted.dtype.kind in "fV" else wanted.dtype
        np.testing.assert_allclose(ours.astype(kind), wanted.astype(kind), rtol, case.atol)


def test_so_many_cases_are_run():
    kinds = [case.model.graph.node[0].op_type for n, case in CASES.items() if n not in REASONS]
    assert len(kinds) >= 330
    assert sum(kind in LOSSES for kind in kinds) == 52
    assert sum(kind in OPTIMISERS for kind in kinds) == 7
