"""Packages that are verbs: ``shoal.explain`` is a package, and calling it explains.

A function could not stand beside a package of the same name: Python puts the package in the place
of its name as soon as anything in it is imported. So the package itself can be called.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _Verb(ModuleType):
    """A package that can be called."""

    _does: Callable[..., Any]

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """What the verb does."""
        return self._does(*arguments, **settings)


def make_verb(package: str, does: Callable[..., Any]) -> None:
    """Let a package be called."""
    module: Any = sys.modules[package]
    module.__class__ = _Verb
    module._does = does
