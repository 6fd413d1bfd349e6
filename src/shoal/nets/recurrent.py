"""Recurrent layers: one step for each position of a sequence, with a memory between them.

Notation: x_t (B, C) the input at position t, h_t (B, U) the state after it, s the sigmoid, · the
product number by number. Gates are stacked: W is (gates · U, C), R is (gates · U, U).

    RNN     h_t = tanh(W x_t + b + R h_(t-1))
    GRU     r, z = s(W_rz x_t + b_rz + R_rz h_(t-1))                     reset, update
            n = tanh(W_n x_t + b_n + r · (R_n h_(t-1) + c))              candidate
            h_t = (1 - z) · n + z · h_(t-1)
    LSTM    i, f, o = s(W_ifo x_t + b_ifo + R_ifo h_(t-1))               input, forget, output
            g = tanh(W_g x_t + b_g + R_g h_(t-1))
            c_t = f · c_(t-1) + i · g;   h_t = o · tanh(c_t)

Elman 1990; Cho et al. 2014 (arXiv:1406.1078); Hochreiter and Schmidhuber 1997 with the forget gate
of Gers et al. 2000. States start at 0. The products W x_t of all positions are one product.
"""

from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from shoal.arrays import Array, Shape, Tree
from shoal.describe import part, static
from shoal.nets.dense import AN_INITIALISER
from shoal.nets.embedding import sequence
from shoal.nets.initialisers import Constant, Initialiser, Zeros, initialiser
from shoal.nets.layer import Layer, Mode, Weight, Window
from shoal.rules import Flag, Whole

State = tuple[Array, ...]


class _Recurrent(Layer, abstract=True):
    """The interface of recurrent layers: (W, C) -> (U,), or (W, U) with ``return_sequences``."""

    computes = "wide"
    gates: ClassVar[int]

    units: int = static(must=Whole(1))
    return_sequences: bool = static(default=False, must=Flag())
    reverse: bool = static(default=False, must=Flag())
    init: Initialiser = part(default="glorot_uniform", must=AN_INITIALISER, converter=initialiser)
    recurrent_init: Initialiser = part(
        default="orthogonal", must=AN_INITIALISER, converter=initialiser
    )

    if TYPE_CHECKING:  # names of initialisers are taken too

        def __init__(
            self,
            units: int,
            return_sequences: bool = ...,
            reverse: bool = ...,
            init: Initialiser | str = ...,
            recurrent_init: Initialiser | str = ...,
        ) -> None: ...

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        length, _ = sequence(self, in_shape)
        return (length, self.units) if self.return_sequences else (self.units,)

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        u, (_, channels) = self.units, sequence(self, in_shape)
        return {
            "weight": Weight((self.gates * u, channels), self.init, channels, u, True),
            "recurrent_weight": Weight((self.gates * u, u), self.recurrent_init, u, u, True),
            "bias": Weight((self.gates * u,), Zeros()),
        }

    def multiply_adds(self, in_shape: Shape) -> int:
        length, channels = sequence(self, in_shape)
        return length * self.gates * self.units * (channels + self.units)

    def window(self, in_shape: Shape) -> Window:
        return Window((2 * in_shape[0],), (1,))  # every position may see all of them

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        bias = self._bias(parameters)
        inputs = jnp.moveaxis(x @ parameters["weight"].T + bias[None, None, :], 1, 0)
        zeros = jnp.zeros((x.shape[0], self.units), x.dtype)

        def step(state: State, at: Array) -> tuple[State, Array | None]:
            state = self.step(parameters, state, at)
            return state, state[0] if self.return_sequences else None

        last, every = lax.scan(step, self.start(zeros), inputs, reverse=self.reverse)
        return last[0] if every is None else jnp.moveaxis(every, 0, 1), {}

    def _bias(self, parameters: Tree) -> Array:
        return parameters["bias"]

    def start(self, zeros: Array) -> State:
        """The state before the first position; its first array is h, (B, U)."""
        return (zeros,)

    def step(self, parameters: Tree, state: State, at: Array) -> State:
        """The state after one more position, whose W x + b is ``at``, (B, gates · U)."""
        raise NotImplementedError


class RNN(_Recurrent):
    """h_t = tanh(W x_t + b + R h_(t-1)), the simple recurrent layer.

    Args:
        units: U, >= 1.
        return_sequences: give h at every position, (W, U), instead of the last, (U,).
        reverse: go from the end to the start; beside a layer that does not, in ``Concat``, that
            makes a bidirectional one.
        init, recurrent_init: how W and R are drawn; biases start at 0.
    """

    gates = 1

    def step(self, parameters: Tree, state: State, at: Array) -> State:
        return (jnp.tanh(at + state[0] @ parameters["recurrent_weight"].T),)


class GRU(_Recurrent):
    """Gated recurrent unit; formula in ``recurrent``. Gates are stacked r, z, n, as in PyTorch.

    Args:
        units: U, >= 1.
        return_sequences, reverse, init, recurrent_init: as for ``RNN``.
        reset_after: multiply by r after the product with R_n, as PyTorch and Keras do, with a bias
            c of its own; False multiplies before, n = tanh(W_n x + b_n + R_n (r · h)), as the
            paper does and ONNX by default.
    """

    gates = 3

    reset_after: bool = static(default=True, must=Flag())

    if TYPE_CHECKING:

        def __init__(
            self,
            units: int,
            return_sequences: bool = ...,
            reverse: bool = ...,
            init: Initialiser | str = ...,
            recurrent_init: Initialiser | str = ...,
            reset_after: bool = ...,
        ) -> None: ...

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        weights = super().parameters(in_shape)
        if self.reset_after:
            weights["recurrent_bias"] = Weight((self.units,), Zeros())
        return weights

    def step(self, parameters: Tree, state: State, at: Array) -> State:
        u, h = self.units, state[0]
        recurrent = parameters["recurrent_weight"]
        rz = jax.nn.sigmoid(at[:, : 2 * u] + h @ recurrent[: 2 * u].T)
        r, z = rz[:, :u], rz[:, u:]
        if self.reset_after:
            inner = r * (h @ recurrent[2 * u :].T + parameters["recurrent_bias"][None, :])
        else:
            inner = (r * h) @ recurrent[2 * u :].T
        n = jnp.tanh(at[:, 2 * u :] + inner)
        return (n + z * (h - n),)


class LSTM(_Recurrent):
    """Long short-term memory; formula in ``recurrent``. Gates are stacked i, f, g, o (PyTorch).

    The bias of the forget gate starts at 1, so that memory is kept at first (Jozefowicz et al.
    2015), as in Keras; PyTorch draws it around 0 and has a second bias that adds nothing.

    Args:
        units: U, >= 1.
        return_sequences, reverse, init, recurrent_init: as for ``RNN``.
    """

    gates = 4

    def parameters(self, in_shape: Shape) -> dict[str, Weight]:
        weights = super().parameters(in_shape)
        weights["bias"] = Weight((3 * self.units,), Zeros())
        weights["forget_bias"] = Weight((self.units,), Constant(1.0))
        return weights

    def _bias(self, parameters: Tree) -> Array:
        u, bias = self.units, parameters["bias"]
        return jnp.concatenate([bias[:u], parameters["forget_bias"], bias[u:]])

    def start(self, zeros: Array) -> State:
        return zeros, zeros

    def step(self, parameters: Tree, state: State, at: Array) -> State:
        (h, c), u = state, self.units
        gates = at + h @ parameters["recurrent_weight"].T
        i, f = jax.nn.sigmoid(gates[:, :u]), jax.nn.sigmoid(gates[:, u : 2 * u])
        g, o = jnp.tanh(gates[:, 2 * u : 3 * u]), jax.nn.sigmoid(gates[:, 3 * u :])
        c = f * c + i * g
        return o * jnp.tanh(c), c
