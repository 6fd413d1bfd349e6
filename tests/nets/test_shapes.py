"""Sizes of windows: the formula, against PyTorch for every setting, and the errors."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import shoal as sh
from shoal.errors import ShapeError


@given(
    w=st.integers(1, 40),
    f=st.integers(1, 9),
    s=st.integers(1, 4),
    p=st.integers(0, 4),
    d=st.integers(1, 3),
)
def test_the_output_size_is_pytorchs(w, f, s, p, d):
    layer = sh.Conv(2, f, stride=s, padding=p, dilation=d)
    try:
        theirs = torch.nn.functional.conv1d(
            torch.zeros(1, 1, w), torch.zeros(2, 1, f), stride=s, padding=p, dilation=d
        ).shape[-1]
    except RuntimeError:
        with pytest.raises(ShapeError, match="needs an input of at least"):
            layer.output_shape((w, 1))
        return
    assert layer.output_shape((w, 1)) == (theirs, 2)


@given(w=st.integers(1, 40), f=st.integers(1, 9), s=st.integers(1, 4))
def test_same_padding_gives_the_quotient_rounded_up(w, f, s):
    assert sh.Conv(1, f, stride=s, padding="same").output_shape((w, 1)) == (-(-w // s), 1)


def test_two_filters_with_padding_and_stride():
    """The worked example of convolution courses: 5x5x3, which a padding of 1 makes 7x7x3."""
    net = sh.Net(sh.Conv(2, kernel=3, stride=2, padding=1))
    assert net.output_shape((5, 5, 3), strict=True) == (3, 3, 2)
    assert net.parameter_count((5, 5, 3)) == 2 * (3 * 3 * 3) + 2 == 56
    # Seven columns before padding: (7 - 3 + 2) / 2 + 1 = 4.
    assert net.output_shape((7, 7, 3), strict=True) == (4, 4, 2)
    assert net.parameter_count((7, 7, 3)) == 56


def test_strict_checking_refuses_a_size_that_is_not_whole():
    net = sh.Net(sh.ReLU(), sh.Conv(2, 3, stride=2, padding="valid"))
    assert net.output_shape((8, 8, 3)) == (3, 3, 2)
    with pytest.raises(ShapeError) as error:
        net.summary((8, 8, 3), strict=True)
    assert str(error.value) == (
        "layer 2: Conv(2, 3, stride=2, padding='valid') needs a whole number of steps over its "
        "input (strict checking), got (8 - 3 + 0) / 2 + 1 = 3.5 from layer 1 (ReLU()); "
        "change stride, padding or kernel so that the division leaves no rest"
    )


@pytest.mark.parametrize(
    "layers, shape, message",
    [
        (
            [sh.Conv(3, 3), sh.Dense(2)],
            (7, 7, 3),
            r"layer 2: Dense\(2\) needs a flat input, got 7x7x3 from layer 1 \(Conv\(3, 3\)\); put Flatten",
        ),
        ([sh.Dense(2)], (), r"needs a flat input, got a single number from the input"),
        (
            [sh.MaxPool(2), sh.Conv(1, 7, padding="valid")],
            (10, 10, 1),
            r"layer 2: .* needs an input of at least 7x7, got 5x5 from layer 1 \(MaxPool\(\)\); use padding",
        ),
        (
            [sh.Conv(1, 3)],
            (64,),
            r"needs a sequence \(W, C\), an image \(H, W, C\) or a volume .*, channels last, got 64",
        ),
        (
            [sh.Conv(1, (3, 3))],
            (9, 2),
            r"needs kernel with 1 numbers for an input of 1 spatial axes, got kernel=\(3, 3\)",
        ),
        (
            [sh.Conv(4, 3, groups=2)],
            (9, 3),
            r"needs channels that 2 groups can share evenly, got 3 channels",
        ),
        ([sh.MaxPool(2)], (5,), r"MaxPool\(\) needs a sequence"),
        ([sh.GlobalAvgPool()], (5,), r"GlobalAvgPool\(\) needs a sequence"),
        ([sh.Softmax()], (1,), r"Softmax\(\) needs two or more values.*use Sigmoid"),
        ([sh.BatchNorm()], (), r"BatchNorm\(\) needs an input with channels"),
        (
            [sh.Residual(sh.Dense(4))],
            (5,),
            r'needs layers that keep the shape 5, got 4.*use shortcut="projection"',
        ),
        (
            [sh.Residual(sh.Dense(4), sh.Conv(1, 3))],
            (5,),
            r"layer 1: layer 2: Conv\(1, 3\) needs a sequence",
        ),
        (
            [sh.Residual(sh.Flatten(), shortcut="projection")],
            (5, 5, 2),
            r"needs layers whose output a linear shortcut can reach",
        ),
    ],
)
def test_a_wrong_shape_names_layer_requirement_value_origin_and_remedy(layers, shape, message):
    with pytest.raises(ShapeError, match=message):
        sh.Net(*layers).shapes(shape)
