"""Reports: one HTML page about runs, complete in itself."""

from shoal.verbs import make_verb

make_verb(__name__, "shoal.report.page")
