"""How a training is shown: every number of a step, and pictures of its record.

``shoal.explain`` is this package, and the verb: calling it is ``explaining.explain``. A function of
that name could not stand beside a package of that name; whichever was imported last would win.
"""

import sys
from types import ModuleType
from typing import Any


class _Verb(ModuleType):
    """A package that can be called."""

    def __call__(self, what: Any, x: Any, y: Any, **settings: Any) -> Any:
        from shoal.explain.trace.explaining import explain

        return explain(what, x, y, **settings)


sys.modules[__name__].__class__ = _Verb
