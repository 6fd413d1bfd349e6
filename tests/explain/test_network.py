"""Pictures of networks: what the plan holds, and that nothing lies over anything else."""

import itertools

import numpy as np
import pytest
from test_pictures import untrained

import shoal as sh
from shoal.errors import ShapeError
from shoal.explain.pictures.diagram import HEIGHT, plan
from shoal.explain.pictures.network import network_info

BRANCHED = sh.Net(
    sh.Conv(4, 3),
    sh.Residual(sh.Conv(8, 3), sh.BatchNorm(), shortcut="projection"),
    sh.Concat(near=sh.Conv(2, 1), far=sh.Sequential(sh.Conv(3, 3), sh.Add(a=sh.Identity(), b=sh.Tanh()))),
    sh.GlobalAvgPool(),
    sh.Dense(10),
)  # fmt: skip

NETS = [
    (BRANCHED, (8, 8, 1)),
    (sh.zoo.resnet18(10), (64, 64, 3)),
    (sh.zoo.vgg16(10), (224, 224, 3)),
    (sh.Net(sh.Dense(1)), (3,)),
    (sh.Net(sh.Embedding(9, 4), sh.Residual(sh.LayerNorm(), sh.SelfAttention(heads=2)), sh.GRU(3)), (6,)),
]  # fmt: skip


def leaves(layers):
    for layer in layers:
        inside = getattr(layer, "layers", ())
        yield from leaves(inside) if inside else (layer,)


@pytest.mark.parametrize("net, in_shape", NETS, ids=range(len(NETS)))
def test_every_layer_has_a_box_and_no_two_overlap(net, in_shape):
    diagram = plan(net, in_shape)
    texts = [box.text for box in diagram.boxes]
    assert texts[0] == "input"
    expected = [repr(layer) for layer in leaves(net.layers)]
    assert [t.rstrip("…") for t in texts[1:]] == [
        e[: len(t.rstrip("…"))] for t, e in zip(texts[1:], expected, strict=True)
    ]
    for a, b in itertools.combinations(diagram.boxes, 2):
        beside = a.x + a.width <= b.x or b.x + b.width <= a.x
        assert beside or a.y + HEIGHT <= b.y or b.y + HEIGHT <= a.y, (a, b)
    for box in diagram.boxes:
        assert box.x >= -1e-9 and box.x + box.width <= diagram.width + 1e-9
        assert box.y >= -1e-9 and box.y + HEIGHT <= diagram.height + 1e-9
    for frame in diagram.frames:
        inside = [
            b
            for b in diagram.boxes
            if frame.x <= b.x <= frame.x + frame.width and frame.y <= b.y <= frame.y + frame.height
        ]
        assert inside
        assert all(
            b.x + b.width <= frame.x + frame.width + 1e-9
            and b.y + HEIGHT <= frame.y + frame.height + 1e-9
            for b in inside
        )


def test_the_notes_say_shape_and_parameters():
    notes = {box.text: box.note for box in plan(BRANCHED, (8, 8, 1)).boxes}
    assert notes["input"] == "8x8x1"
    assert notes["Conv(4, 3)"] == "8x8x4 · 40"  # 9 · 4 weights and 4 biases
    assert notes["Dense(10)"] == "10 · 60"
    assert network_info(BRANCHED, (8, 8, 1)).parameters == BRANCHED.parameter_count((8, 8, 1))


def test_small_perceptrons_show_units_and_weights(small, tmp_path):
    net = sh.Net(sh.Dense(5), sh.ReLU(), sh.Dropout(0.1), sh.Dense(3))
    run = untrained(net, small)
    info = network_info(net, (6,), run)
    assert info.units == (6, 5, 3)
    assert info.names == ("Dense(5)\nReLU", "Dense(3)")
    np.testing.assert_array_equal(
        info.between[1].weight, run.model.parameters["dense2"]["weight"][0]
    )
    assert network_info(net, (6,)).units == ()
    assert sh.draw_network(run, None, tmp_path / "units.png").stat().st_size > 5000
    assert sh.draw_network(net, (6,), tmp_path / "boxes.png").stat().st_size > 5000


def test_large_and_branched_networks_stay_boxes(small, tmp_path):
    wide = sh.Net(sh.Dense(17), sh.ReLU(), sh.Dense(3))
    run = untrained(wide, small)
    assert network_info(wide, (6,), run).units == ()
    nested = sh.Net(sh.Residual(sh.Dense(6)), sh.Dense(3))
    run = untrained(nested, small)
    assert network_info(nested, (6,), run).units == ()
    assert sh.draw_network(BRANCHED, (8, 8, 1), tmp_path / "b.svg", language="en").exists()


def test_a_network_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="needs a flat input"):
        sh.draw_network(sh.Net(sh.Dense(3)), (8, 8, 1), tmp_path / "n.png")
