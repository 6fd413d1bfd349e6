"""Functions of the user as text: files hold the name of a function and a digest, never its code."""

import ast
import hashlib
import inspect
import textwrap
from types import CodeType
from typing import Any


def name_of(function: Any) -> str:
    """How a function is written: its name, and a digest of what it says.

    Comments and layout do not count, nor do other functions that it calls; numbers and texts that
    it takes from the function around it do. Functions whose text cannot be found count by their
    compiled code.
    """
    name = str(function.__name__)
    said = _said(function, name) + repr(_enclosed(function))
    return f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _enclosed(function: Any) -> list[Any]:
    """Plain values that a function takes from the one around it."""
    cells = getattr(inspect.unwrap(function), "__closure__", None) or ()
    values = [cell.cell_contents for cell in cells]
    return [value for value in values if isinstance(value, bool | int | float | str)]


def _said(function: Any, name: str) -> str:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        if isinstance(tree, ast.FunctionDef) and tree.name == name:
            return ast.dump(tree)
    except (OSError, TypeError, SyntaxError, ValueError, IndexError):
        pass
    code = getattr(inspect.unwrap(function), "__code__", None)
    return repr((code.co_code, code.co_names, _constants(code))) if code else name


def _constants(code: CodeType) -> list[Any]:
    """The constants of compiled code, functions inside by theirs."""
    return [
        (c.co_code, c.co_names, _constants(c)) if isinstance(c, CodeType) else c
        for c in code.co_consts
    ]
