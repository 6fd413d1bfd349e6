"""How networks are trained: pools of members, their records, their checkpoints."""

from shoal.train import devices

devices.prepare_jax()
