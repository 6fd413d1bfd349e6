"""The table of writers: a kind of layer -> how it says its working."""

from shoal.explain.trace.step import Step
from shoal.explain.trace.writers.attention import OfAttention
from shoal.explain.trace.writers.gated import OfGRU, OfLSTM
from shoal.explain.trace.writers.joins import OfConcat, OfSum
from shoal.explain.trace.writers.linear import OfConv, OfDense, OfEmbedding, OfPositions
from shoal.explain.trace.writers.noises import OfDropout, OfNoise
from shoal.explain.trace.writers.norms import OfNorm, OfRMSNorm
from shoal.explain.trace.writers.pointwise import (
    POINTWISE,
    OfLogSoftmax,
    OfPointwise,
    OfPReLU,
    OfRReLU,
    OfSoftmax,
    OfSwish,
)
from shoal.explain.trace.writers.pools import OfMax, OfMean, OfReshape
from shoal.explain.trace.writers.recurrent import OfRNN
from shoal.explain.trace.writers.writer import Writer

WRITERS: dict[str, Writer] = {
    "Dense": OfDense(),
    "Conv": OfConv(),
    "ConvTranspose": OfConv(),
    "DepthwiseConv": OfConv(),
    "Embedding": OfEmbedding(),
    "Positions": OfPositions(),
    "MaxPool": OfMax(),
    "GlobalMaxPool": OfMax(),
    "AvgPool": OfMean(),
    "GlobalAvgPool": OfMean(),
    "Flatten": OfReshape(),
    "Reshape": OfReshape(),
    "BatchNorm": OfNorm(),
    "LayerNorm": OfNorm(),
    "GroupNorm": OfNorm(),
    "RMSNorm": OfRMSNorm(),
    "Dropout": OfDropout(),
    "SpatialDropout": OfDropout(),
    "GaussianNoise": OfNoise(),
    "SelfAttention": OfAttention(),
    "RNN": OfRNN(),
    "GRU": OfGRU(),
    "LSTM": OfLSTM(),
    "Residual": OfSum(),
    "Add": OfSum(),
    "Concat": OfConcat(),
    "PReLU": OfPReLU(),
    "RReLU": OfRReLU(),
    "Swish": OfSwish(),
    "Softmax": OfSoftmax(),
    "LogSoftmax": OfLogSoftmax(),
    **{kind: OfPointwise() for kind in POINTWISE},
}
"""Layers of a kind that is not here, such as one's own, are written by the chain rule alone."""

ANY = Writer()


def writer(step: Step) -> Writer:
    """Who writes a step."""
    ours = type(step.layer).__module__.startswith("shoal.nets.")
    return WRITERS.get(step.layer.kind, ANY) if ours else ANY
