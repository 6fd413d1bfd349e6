"""The shape of the code: layers, cycles, sizes, docstrings, the public surface."""

import ast
import re
from pathlib import Path

import pytest

import shoal as sh

SOURCE = Path(sh.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

LAYERS = [  # imports point downward only; packages on one level do not import each other
    {
        "errors",
        "rules",
        "arrays",
        "describe",
        "edits",
        "files",
        "drawing",
        "functions",
        "verbs",
        "spaces",
        "choosing",
    },
    {"nets", "losses", "metrics", "optim", "data"},
    {"recipe"},
    {"train"},
    {"doctor", "explain", "export"},
    {"tune"},
    {"estimators", "report"},
    {"cli", "__main__"},
]
# Within the lowest two levels some parts stand on others; nothing else may.
ON_ONE_LEVEL = {
    ("describe", "errors"), ("describe", "rules"), ("describe", "functions"), ("edits", "describe"), ("edits", "errors"),
    ("files", "arrays"), ("files", "errors"), ("drawing", "errors"), ("drawing", "files"),
    ("spaces", "describe"), ("spaces", "errors"), ("spaces", "rules"),
    ("choosing", "describe"), ("choosing", "errors"), ("choosing", "rules"), ("choosing", "spaces"),
    ("metrics", "losses"), ("data", "losses"), ("__main__", "cli"),
}  # fmt: skip

MOST_LINES = 400
MOST_BODY = 60
USUAL_BODY = 20


def module(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path):
    return ast.parse(path.read_text())


def imports(path, typing_too=False):
    """The modules of shoal that a file imports, by their name below shoal."""
    known = {module(p) for p in FILES}
    skipped = set() if typing_too else _only_for_types(tree(path))
    for node in ast.walk(tree(path)):
        if getattr(node, "lineno", None) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "shoal":
            base = (node.module or "").removeprefix("shoal").removeprefix(".")
            for name in node.names:
                inner = f"{base}.{name.name}" if base else name.name
                yield inner if inner in known else base
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith("shoal."):
                    yield name.name.removeprefix("shoal.")


def _only_for_types(root):
    lines = set()
    for node in ast.walk(root):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            lines |= {n.lineno for n in ast.walk(node) if hasattr(n, "lineno")}
    return lines


def part(name):
    return name.split(".")[0]


def level(name):
    return next(i for i, parts in enumerate(LAYERS) if part(name) in parts)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_point_downward(path):
    name = module(path)
    if not name:
        return  # the public API re-exports from everywhere
    for target in filter(None, imports(path)):
        mine, theirs = part(name), part(target)
        allowed = mine == theirs or level(target) < level(name) or (mine, theirs) in ON_ONE_LEVEL
        assert allowed, f"{name} imports {target}"


def test_there_is_no_cycle():
    graph = {module(p): {t for t in imports(p) if t and t != module(p)} for p in FILES}
    done, under_way = set(), []

    def visit(name):
        assert name not in under_way, f"cycle: {[*under_way[under_way.index(name) :], name]}"
        if name in done:
            return
        under_way.append(name)
        for target in graph.get(name, ()):
            visit(target)
        under_way.pop()
        done.add(name)

    for name in graph:
        if name:
            visit(name)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_files_are_small_and_say_what_they_are_for(path):
    text = path.read_text()
    assert text.count("\n") <= MOST_LINES
    assert ast.get_docstring(tree(path)), "a module docstring: what, why, notation, source"


def test_the_median_file_is_short():
    lines = sorted(path.read_text().count("\n") for path in FILES)
    assert lines[len(lines) // 2] <= 170


def bodies():
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                inner = node.body[1:] if ast.get_docstring(node) else node.body
                size = inner[-1].end_lineno - inner[0].lineno + 1 if inner else 0
                yield f"{module(path)}.{node.name}", size


def test_bodies_are_short():
    sizes = dict(bodies())
    assert {name: size for name, size in sizes.items() if size > MOST_BODY} == {}
    short = sum(size <= USUAL_BODY for size in sizes.values())
    assert short >= 0.9 * len(sizes)


def public_definitions():
    for path in FILES:
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield f"{module(path)}.{node.name}", node
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                        yield f"{module(path)}.{node.name}.{inner.name}", inner


def test_public_functions_and_classes_are_documented():
    """Methods of an interface are documented where the interface is."""
    interfaces = {
        "apply", "output_shape", "parameters", "statistics", "multiply_adds", "window", "random",
        "gain", "function", "sample", "per_example", "predictions", "outputs_for", "check_output",
        "sums", "value", "nothing", "name", "factor_at", "start", "observe", "transformation",
        "clip", "check", "text", "accepts", "clean", "say", "show", "width", "out_shape",
        "bytes", "axes", "recipe", "disturbed", "inside", "check_inputs",
        "joined", "step", "absorbs", "form", "searches", "check_targets",
            "arranges", "entries", "every", "tasks",
        "rules", "back_rules", "inner", "forward", "backward", "gradient", "local",
        "at", "back_at", "taken", "gates", "bias", "bias_at",
    }  # fmt: skip
    bare = [
        name
        for name, node in public_definitions()
        if not ast.get_docstring(node) and name.split(".")[-1] not in interfaces
    ]
    assert bare == []


def test_nothing_runs_code_from_files():
    """No pickle, no eval, no import by a name that is not written in the source."""
    for path in FILES:
        text = path.read_text()
        assert not re.search(r"\b(pickle|joblib|marshal|dill)\b", text), path
        assert not re.search(r"(?<![\w.])(eval|exec|__import__)\(", text), path
        dynamic = "importlib.import_module" in text
        assert not dynamic or path == SOURCE / "__init__.py", path


def test_the_public_surface_is_what_is_declared():
    declared = _declared_for_types()
    assert set(sh.__all__) == {"__version__", *declared}
    assert sh.__all__[1:] == sorted(sh.__all__[1:])
    for name in declared:
        assert getattr(sh, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = sh.nonsense
    assert set(dir(sh)) >= set(sh.__all__)


def _declared_for_types():
    """The names re-exported for type checkers, each with the module that it comes from."""
    root = tree(SOURCE / "__init__.py")
    block = next(n for n in root.body if isinstance(n, ast.If))
    found = {}
    for node in block.body:
        for name in node.names:
            assert name.name == name.asname, "re-exports are written `X as X`"
            found[name.name] = node.module
    for name, home in sh._HOME.items():
        module = {"data": "shoal", "doctor": "shoal", "zoo": "shoal.nets"}.get(name, home)
        assert found[name] == module
    return found


def test_every_word_of_the_vocabulary_is_public():
    from shoal.describe import KINDS

    ours = {name for name, kind in KINDS.items() if kind.__module__.startswith("shoal.")}
    assert ours <= set(sh.__all__)
