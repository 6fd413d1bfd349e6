"""The table of a network: sums worked out by hand."""

import shoal as sh

LENET = sh.Net(
    sh.Conv(6, 5, padding=2),
    sh.Tanh(),
    sh.AvgPool(2),
    sh.Conv(16, 5, padding="valid"),
    sh.Tanh(),
    sh.AvgPool(2),
    sh.Flatten(),
    sh.Dense(120),
    sh.Dense(84),
    sh.Dense(10),
)


def test_lenet_5_by_hand():
    """61,706 parameters: 156 + 2,416 + 48,120 + 10,164 + 850."""
    table = LENET.summary((28, 28, 1))
    assert [row.parameters for row in table.rows if row.parameters] == [
        156,
        2416,
        48120,
        10164,
        850,
    ]
    assert table.parameters == 61_706
    multiply_adds = 28 * 28 * 25 * 6 + 10 * 10 * 25 * 6 * 16 + 400 * 120 + 120 * 84 + 84 * 10
    assert table.multiply_adds == multiply_adds
    assert [row.shape for row in table.rows][:4] == [
        (28, 28, 6),
        (28, 28, 6),
        (14, 14, 6),
        (10, 10, 16),
    ]
    assert table.rows[0].bytes == 4 * (156 + 28 * 28 * 6)


def test_the_receptive_field_grows_by_extent_times_jump():
    """5; 5 + 1 = 6 with jump 2; 6 + 4 · 2 = 14; 14 + 2 = 16 with jump 4; then everything."""
    fields = [row.field for row in LENET.summary((28, 28, 1)).rows]
    assert fields == [(f, f) for f in (5, 5, 6, 14, 14, 16)] + [(28, 28)] * 4
    dilated = sh.Net(sh.Conv(1, 3, dilation=2), sh.Conv(1, 3, dilation=4))
    assert [row.field for row in dilated.summary((30, 1)).rows] == [(5,), (13,)]


def test_a_nest_counts_its_own_and_shows_its_layers():
    block = sh.Residual(sh.Conv(8, 3, stride=2), sh.BatchNorm(), shortcut="projection")
    table = sh.Net(block, sh.GlobalAvgPool()).summary((6, 6, 4))
    assert [(row.name, row.parameters) for row in table.rows] == [
        ("residual1", 4 * 8),
        ("  conv1", 3 * 3 * 4 * 8 + 8),
        ("  batchnorm1", 16),
        ("globalavgpool1", 0),
    ]
    assert table.parameters == sh.Net(block).parameter_count((6, 6, 4))


def test_the_text_is_a_table():
    text = str(sh.Net(sh.Dense(64), sh.ReLU(), sh.Dense(10)).summary((20,)))
    lines = text.split("\n")
    assert lines[0].split() == [
        "layer", "description", "output", "parameters", "multiply-adds", "bytes", "sees",
    ]  # fmt: skip
    assert lines[3].split() == ["dense1", "Dense(64)", "64", "1,344", "1,280", "5,632"]
    assert lines[-1].split() == ["total", "1,994", "1,920", "8,528"]
