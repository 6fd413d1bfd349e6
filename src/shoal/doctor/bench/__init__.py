"""The benchmark of the doctor: sick and healthy trainings, labelled by measured effect.

datasets, sources     what is trained on, half for tuning the rules and half held out
bases, healthy        recipes that do well, hard negatives among them
faults, mangling      the kinds of faults, injected at three severities
programs              faulty programs that people posted, re-expressed
truth                 labels by effect: harmful, trivial, benign, improving
trials, controls      the doctor's cures, and others with the same budget
scores, bench         the figures, with intervals
"""
