"""The classic example of back-propagation: 2 inputs, 2 hidden units, 2 outputs, all with sigmoids.

Numbers as in many courses (M. Mazur, "A Step by Step Backpropagation Example", 2015): inputs .05
and .10, targets .01 and .99, w1 to w8 from .15 to .55, biases .35 and .60, rate .5,
E = ½ sum (target - out)². There one bias is shared by both units of a layer and is not changed;
here each unit has a bias of its own, which starts at that number and learns.
"""

from dataclasses import replace

from shoal.explain.trace.explaining import explain
from shoal.explain.trace.trace import Trace
from shoal.nets import Dense, Net, Sigmoid
from shoal.optim import GradientDescent

NET = Net(Dense(2), Sigmoid(), Dense(2), Sigmoid())
WEIGHTS = {
    "dense1": {"weight": [[0.15, 0.20], [0.25, 0.30]], "bias": [0.35, 0.35]},
    "dense2": {"weight": [[0.40, 0.45], [0.50, 0.55]], "bias": [0.60, 0.60]},
}
INPUTS, TARGETS, RATE = [0.05, 0.10], [0.01, 0.99], 0.5
ABOUT_BIASES = (
    "texts on this example have one bias for both units of a layer and leave it as it is; here "
    "each unit has its own (b1_h1, b1_h2, b2_o1, b2_o2), which learns: the other numbers of this "
    "step are the same"
)


def classic(digits: int = 9) -> Trace:
    """The trace of the classic example.

    >>> trace = classic()
    >>> round(trace["w5"].result, 9), round(trace.loss, 9)
    (0.082167041, 0.298371109)
    """
    trace = explain(
        NET,
        INPUTS,
        TARGETS,
        parameters=WEIGHTS,
        loss="half_squared_error",
        optimiser=GradientDescent(RATE),
        names="classic",
        digits=digits,
    )
    return replace(trace, notes=(*trace.notes, ABOUT_BIASES))
