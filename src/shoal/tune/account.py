"""Account: a study as plain JSON: what a report shows of it, without its data and networks.

``tune(folder=...)`` writes it to study.json, so that a folder is enough for a report.

    rows, value, direction      the trials, the column that was optimised, "minimize"
    result                      winner and default with fresh seeds, {"columns", "rows"}
    verdict, facts              sentences; (name, text) pairs
    importance                  {parameter: share}, {} for few trials
    axes, values                places and labels of the parameters of complete trials; their values
    contour                     the surface over two parameters, or None
    data, environment           as in about.json of a run
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import DamagedFileError, DataError
from shoal.files import read, write_atomically
from shoal.train.history import History
from shoal.tune import protocol, states
from shoal.tune.views import axes_info, contour_info

if TYPE_CHECKING:
    from shoal.tune.study import Study

FILE = "study.json"
STEP = 2
"""Every so many points of a contour, along a number."""


def account(study: "Study") -> dict[str, Any]:
    """The account of a study."""
    info = axes_info(study)
    about = History.of(study.run).about
    rows = protocol.rows({"winner": study.winner, "default": study.default})
    return _clean(
        {
            "kind": "Study",
            "name": study.space.name,
            "rows": study.frame().to_dicts(),
            "value": "value",
            "direction": "minimize",
            "result": {"columns": rows[0], "rows": rows[1:]},
            "verdict": study.verdict,
            "facts": _facts(study),
            "test_looks": study.test_looks,
            "importance": study.importance(),
            "axes": [axis._asdict() for axis in info.axes],
            "values": info.values,
            "contour": _contour(study),
            "data": about.get("data"),
            "environment": about.get("environment"),
        }
    )


def _facts(study: "Study") -> list[tuple[str, str]]:
    facts = [
        ("trials", states.tally(study.optuna.get_trials(deepcopy=False))),
        ("training programs compiled", str(study.compilations)),
        ("slots wasted while trials remained", f"{study.wasted:.1%}"),
        ("seconds", f"{study.seconds:.1f}"),
        ("looks at the test split", str(study.test_looks)),
        ("winner", ", ".join(f"{name} = {_text(v)}" for name, v in study.values.items())),
    ]
    if study.nested is not None:
        facts.append((f"{len(study.nested.rows)} outer folds", study.nested.verdict))
    steps = study.lineage()
    if len(steps.epochs) > 1:
        facts.append(("values of the winner change at the epochs", str(steps.epochs[1:])[1:-1]))
    return facts


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _contour(study: "Study") -> dict[str, Any] | None:
    try:
        info = contour_info(study)
    except DataError:
        return None
    across = 1 if info.x.labels else STEP
    up = 1 if info.y.labels else STEP
    return {
        "x": info.x._asdict(),
        "y": info.y._asdict(),
        "values": info.values,
        "surface": info.surface[::up, ::across],
    }


def _clean(value: Any) -> Any:
    """The same as JSON knows it: numbers of six digits, None for what is not finite."""
    if isinstance(value, dict):
        return {str(key): _clean(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return _clean(value.tolist())
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def save(study: "Study", folder: Path) -> None:
    """Write the account of a study into its folder.

    Raises:
        FileError: it cannot be written.
    """
    text = json.dumps(account(study), allow_nan=False, ensure_ascii=False)
    write_atomically(folder / FILE, text.encode())


def looks(folder: Path | None) -> int:
    """How often the searches of a folder have read the test split so far."""
    if folder is None or not (folder / FILE).exists():
        return 0
    return int(load(folder).get("test_looks", 0))


def load(folder: Path) -> dict[str, Any]:
    """The account that ``save`` wrote.

    Raises:
        FileError: it is not there, or damaged.
    """
    try:
        found = json.loads(read(folder / FILE))
        if found["kind"] != "Study":
            raise ValueError(found["kind"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            str(folder / FILE),
            required="what tune wrote",
            got=str(error).split("\n", 1)[0],
            remedy="call tune with the same folder again",
        ) from error
    return dict(found)
