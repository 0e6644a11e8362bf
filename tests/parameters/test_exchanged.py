"""What may stand in a parameter's place, and what is refused by name."""

from __future__ import annotations

import re

import numpy as np
import pytest

from numba_lstm.nn import Parameter
from numba_lstm.parameters.exchanged import check_parameter, check_parameters


def test_what_stands_in_a_parameters_place_is_checked():
    f4 = np.dtype("f4")
    good = Parameter(np.zeros((2, 3), f4))
    assert check_parameter("w", good, (2, 3), f4) is good
    for wrong, error, message in (
        (np.zeros((2, 3), f4), TypeError, "Parameter of shape (2, 3) of float32, got ndarray"),
        (Parameter(np.zeros((3, 2), f4)), ValueError, "shape (2, 3) of float32, got (3, 2) of"),
        (Parameter(np.zeros((2, 3))), ValueError, "shape (2, 3) of float32, got (2, 3) of float64"),
    ):
        with pytest.raises(error, match=rf"^w: expected .*{re.escape(message)}"):
            check_parameter("w", wrong, (2, 3), f4)


def test_the_parameters_of_a_layer_are_checked_each_by_its_name():
    f4 = np.dtype("f4")
    shapes = [(8, 3), (8, 2), None, None, (4,)]
    names = ["w_ih", "w_hh", "b_ih", "b_hh", "gain"]

    def values(**changes):
        made = dict(zip(names, [(8, 3), (8, 2), (8,), (8,), (4,)]))
        return {n: changes.get(n, Parameter(np.zeros(s, f4))) for n, s in made.items()}

    check_parameters(values(), shapes, f4)
    check_parameters(values(b_ih=None, b_hh=None), shapes, f4)
    for name in names:
        with pytest.raises(ValueError, match=rf"^{name}: expected shape"):
            check_parameters(values(**{name: Parameter(np.zeros((9, 9), f4))}), shapes, f4)
        with pytest.raises(TypeError, match=rf"^{name}: expected a Parameter"):
            check_parameters(values(**{name: np.zeros(3, f4)}), shapes, f4)
    with pytest.raises(ValueError, match=r"^b_hh: expected a Parameter as b_ih is one, got None"):
        check_parameters(values(b_hh=None), shapes, f4)
    with pytest.raises(ValueError, match=r"^gain: expected None in this module"):
        check_parameters(values(), [*shapes[:4], None], f4)
