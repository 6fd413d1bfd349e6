"""Packages that are verbs: ``shoal.explain`` is a package, and calling it explains.

A function could not stand beside a package of the same name: Python puts the package in the place of
its name as soon as anything in it is imported. So the package itself can be called.
"""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Verb(ModuleType):
    """A package that can be called."""

    _home: str

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """What the function of the package's own name does."""
        verb = self.__name__.rpartition(".")[2]
        return getattr(importlib.import_module(self._home), verb)(*arguments, **settings)


def make_verb(package: str, home: str) -> None:
    """Let a package be called: that calls the function of its name in the module ``home``."""
    module: Any = sys.modules[package]
    module.__class__ = _Verb
    module._home = home
