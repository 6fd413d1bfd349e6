"""Reports: one HTML page about runs, complete in itself.

The function that writes a report has the name of this package, ``shoal.report``. Python puts a
package in the place of its name as soon as anything in it is imported, so the package itself can be
called.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any


class _Report(ModuleType):
    """This package as a function."""

    def __call__(self, *arguments: Any, **settings: Any) -> Path:
        """Write a report; see ``shoal.report.page.report``."""
        from shoal.report.page import report

        return report(*arguments, **settings)


sys.modules[__name__].__class__ = _Report
