"""What happens in a network: every number of a step, experiments, pictures.

trace/         one training step, number by number
gradcheck/     derivatives beside central differences
atlas/         activations on one page
regions/       what networks of straight pieces do with their input
experiments/   claims of textbooks, tested
pictures/      a training, and what was trained
"""

from typing import Any

from shoal.verbs import make_verb


def _explain(*arguments: Any, **settings: Any) -> Any:
    from shoal.explain.trace.explaining import explain

    return explain(*arguments, **settings)


make_verb(__name__, _explain)
