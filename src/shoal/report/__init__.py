"""Reports: one HTML page about runs, complete in itself."""

from typing import Any

from shoal.verbs import make_verb


def _report(*arguments: Any, **settings: Any) -> Any:
    from shoal.report.page import report

    return report(*arguments, **settings)


make_verb(__name__, _report)
