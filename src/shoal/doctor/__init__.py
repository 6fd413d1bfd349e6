"""The doctor: what is wrong with a training, and the cure that was proven."""

from shoal.doctor.watching.watch import watch as watch
