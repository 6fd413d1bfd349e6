"""Writers of layers that disturb while training: the mask that was drawn, or the noise."""

import jax.numpy as jnp

from shoal.explain.trace.expression import Expression
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.pointwise import drawn
from shoal.explain.trace.writers.writer import Inner, Rule, Writer, rule, slope


class OfDropout(Writer):
    """y = M ⊙ x, M being 0 where a number is dropped and 1 / (1 - rate) elsewhere."""

    def mask(self, s: Step) -> Flow:
        """M: what the layer makes of ones with the randomness of this step."""

        def compute() -> Flow:
            ones = jnp.ones(s.x.shape, s.x.value.dtype)
            return s.flow("M", s.layer.apply({}, {}, ones, s.mode)[0])

        found: Flow = s.once("mask", compute)
        return found

    def rules(self, s: Step) -> list[Rule]:
        if not s.mode.training:
            return [rule("{y} = {x}, as always while predicting", y=s.y, x=s.x)]
        template = "{y} = {m} ⊙ {x}, M is 0 where dropped and 1 / (1 - rate) elsewhere"
        return [rule(template, y=s.y, m=self.mask(s), x=s.x)]

    def back_rules(self, s: Step) -> list[Rule]:
        if not s.mode.training:
            return [rule("{dx} = {dy}", dx=slope(s.x), dy=slope(s.y))]
        return [rule("{dx} = {m} ⊙ {dy}", dx=slope(s.x), m=self.mask(s), dy=slope(s.y))]

    def inner(self, s: Step) -> list[Inner]:
        """The mask."""
        if not s.mode.training:
            return []
        mask = self.mask(s)
        return [Inner(mask, lambda i: drawn(mask, i))]

    def forward(self, s: Step, i: Index) -> Expression:
        return self.mask(s).at(*i) * s.x.at(*i) if s.mode.training else s.x.at(*i)

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        return self.mask(s).at(*i) * s.y.slope(*i) if s.mode.training else s.y.slope(*i)


class OfNoise(Writer):
    """y = x + N."""

    def noise(self, s: Step) -> Flow:
        """N: what the layer makes of zeros with the randomness of this step."""

        def compute() -> Flow:
            zeros = jnp.zeros(s.x.shape, s.x.value.dtype)
            return s.flow("N", s.layer.apply({}, {}, zeros, s.mode)[0])

        found: Flow = s.once("noise", compute)
        return found

    def rules(self, s: Step) -> list[Rule]:
        if not s.mode.training:
            return [rule("{y} = {x}, as always while predicting", y=s.y, x=s.x)]
        return [rule("{y} = {x} + {n}", y=s.y, x=s.x, n=self.noise(s))]

    def back_rules(self, s: Step) -> list[Rule]:
        return [rule("{dx} = {dy}", dx=slope(s.x), dy=slope(s.y))]

    def inner(self, s: Step) -> list[Inner]:
        """The noise."""
        if not s.mode.training:
            return []
        noise = self.noise(s)
        return [Inner(noise, lambda i: drawn(noise, i))]

    def forward(self, s: Step, i: Index) -> Expression:
        return s.x.at(*i) + self.noise(s).at(*i) if s.mode.training else s.x.at(*i)

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        return s.y.slope(*i)
