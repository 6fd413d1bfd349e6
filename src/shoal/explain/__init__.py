"""What happens in a network: every number of a step, experiments, pictures.

trace/         one training step, number by number
gradcheck/     derivatives beside central differences
atlas/         activations on one page
regions/       what networks of straight pieces do with their input
experiments/   claims of textbooks, tested
pictures/      a training, and what was trained
"""

from shoal.verbs import make_verb

make_verb(__name__, "shoal.explain.trace.explaining")
