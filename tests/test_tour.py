"""The tour of the README, run as it stands there."""

import re
from pathlib import Path

import shoal as sh

README = Path(__file__).parent.parent / "README.md"


def test_the_tour_runs_and_does_what_it_says(tmp_path, monkeypatch, capfd):
    tour = re.search(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)[1]
    statements = [line for line in tour.split("\n") if line.strip()]
    assert len(statements) <= 12
    monkeypatch.chdir(tmp_path)
    space = {}
    exec(compile(tour, str(README), "exec"), space)
    run, data = space["run"], space["data"]
    assert run.validate()["accuracy"] > 0.9
    model = sh.Model.load("digits.safetensors")
    assert (model.predict(data.inputs) == data.targets).mean() > 0.95
    assert (tmp_path / "curves.png").exists()
    assert "dense1" in capfd.readouterr().out
