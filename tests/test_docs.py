"""Documents cannot rot: code in them is run, what they list is compared with what there is."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import shoal as sh
from shoal.cli import cli

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
SOURCE = Path(sh.__file__).parent
MODULES = sorted(
    "shoal." + str(p.relative_to(SOURCE).with_suffix("")).replace("/", ".")
    for p in SOURCE.rglob("*.py")
    if ">>>" in p.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted
    assert not found.failed


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), flags=re.DOTALL)


LONG = ("tune", "advise", "experiments", "training")  # pages of many trainings


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=pytest.mark.slow if p.stem in LONG else ()) for p in DOCS],
    ids=lambda path: path.stem,
)
def test_code_in_the_documents_runs(path, tmp_path, monkeypatch):
    """The blocks of a page run one after another; lines `# -> text` say what the line before gives."""
    code = blocks(path, "python")
    if not code:
        assert path.stem in ("benchmarks", "command-line"), "a page without an example"
        return
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    for block in code:
        exec(compile(block, str(path), "exec"), space)


def test_the_readme_lists_the_files_that_there_are():
    """One line for each package and module of the source, with what it is for."""
    tree = next(b for b in blocks(ROOT / "README.md", "text") if b.startswith("src/shoal/"))
    listed = {re.split(r"\s{2,}", line.strip())[0] for line in tree.split("\n")[1:] if line.strip()}
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in SOURCE.iterdir()
        if path.name != "__pycache__" and (path.is_dir() or path.suffix == ".py")
    }
    assert listed == there
    for line in tree.split("\n")[1:]:
        assert not line.strip() or len(re.split(r"\s{2,}", line.strip())) == 2, line


def test_every_command_is_in_the_documents():
    text = (ROOT / "docs" / "command-line.md").read_text()
    commands = dict(cli.commands)
    for name, group in cli.commands.items():
        commands |= {f"{name} {inner}": c for inner, c in getattr(group, "commands", {}).items()}
    for name, command in commands.items():
        assert f"shoal {name}" in text
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or f"`{option}" in text, f"{name} {option}"


def test_every_public_name_is_in_the_documents():
    text = "\n".join(path.read_text() for path in DOCS)
    missing = [name for name in sh.__all__ if not re.search(rf"\b{name}\b", text)]
    assert missing == ["__version__"]


def test_links_between_documents_lead_somewhere():
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
