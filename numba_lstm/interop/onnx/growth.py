"""Whether a node of constants gives far more than it reads, by ONNX's own inference of shapes.

A file of a hundred bytes may ask for a tensor of a terabyte: ConstantOfShape, Expand, Tile, Range.
Such a node is left to the run, which whoever made the file pays for only if it is run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["grows"]

_SMALL = 2**26  # bytes
_FACTOR = 16  # float32 out of int4 is 8 times as large
_VALUES = 64  # arrays up to this many items may be shapes, and so inference needs them


def grows(node: Any, values: Mapping[str, np.ndarray], versions: Mapping[str, int]) -> bool:
    """Say whether a node's outputs would be large and out of proportion, or nobody can say.

    Parameters
    ----------
    node : onnx.NodeProto
    values : mapping of str to numpy.ndarray
        All its inputs.
    versions : mapping of str to int
        The opsets by domain.
    """
    given = sum(value.nbytes for value in values.values())
    try:
        least = sum(map(_least, _outputs(node, values, versions).values()))
    except Exception:  # of onnx's, in whatever way; it would not run either
        return True
    return least > max(_SMALL, _FACTOR * given)


def _outputs(
    node: Any, values: Mapping[str, np.ndarray], versions: Mapping[str, int]
) -> Mapping[str, Any]:
    from onnx import defs, helper, numpy_helper, shape_inference

    types = {
        name: helper.make_tensor_type_proto(
            helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in values.items()
    }
    data = {
        name: numpy_helper.from_array(value, name)
        for name, value in values.items()
        if value.size <= _VALUES
    }
    schema = defs.get_schema(node.op_type, versions.get("", 1), node.domain)
    opsets = [helper.make_opsetid(*one) for one in versions.items()]
    return shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=opsets)


def _least(info: Any) -> int:
    """How many bytes a value has at least; sizes that are not known count as 1.

    Sequences and optional values count as 0: their operators copy nothing that they do not read.
    """
    from onnx import helper

    if info.WhichOneof("value") != "tensor_type":
        return 0
    tensor = info.tensor_type
    sizes = [max(dim.dim_value, 1) for dim in tensor.shape.dim]
    return math.prod(sizes) * helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize
