"""The data sets that come with scikit-learn, read from its installation: no download.

The files are read directly where they lie, because importing ``sklearn.datasets`` takes longer than
training on most of them. Where a release of scikit-learn keeps them elsewhere, its own loaders are
used. Names of features are those of its documentation.
"""

import gzip
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, REGRESSION, Data

Loaded = tuple[Numbers, Numbers, tuple[str, ...]]


def digits() -> Data:
    """1,797 images of handwritten digits, 8 x 8 grey values from 0 to 16, as rows of 64.

    >>> digits()
    Data('digits', 1797 rows, classification of 10 classes)
    """
    rows = _read("digits.csv.gz", ",", 0)
    if rows is None:
        return _classes("digits", *_by_loader("load_digits"))
    return _classes("digits", rows[:, :-1], rows[:, -1], tuple(range(10)))


def digit_images() -> Data:
    """The digits as images of shape (8, 8, 1)."""
    flat = digits()
    images = flat.inputs.reshape(-1, 8, 8, 1)
    return Data(images, flat.targets, flat.task, flat.classes, "digit_images", ("digit",))


def iris() -> Data:
    """150 flowers, 4 measures in cm, 3 species."""
    return _with_header("iris", "iris.csv", "load_iris")


def wine() -> Data:
    """178 wines, 13 chemical measures, 3 cultivars."""
    return _with_header("wine", "wine_data.csv", "load_wine")


def breast_cancer() -> Data:
    """569 tumours, 30 measures of cell nuclei, malignant or benign."""
    return _with_header("breast_cancer", "breast_cancer.csv", "load_breast_cancer")


def diabetes() -> Data:
    """442 patients, 10 raw measures, progression of the disease after a year: a regression."""
    inputs = _read("diabetes_data_raw.csv.gz", None, 0)
    targets = _read("diabetes_target.csv.gz", None, 0)
    if inputs is None or targets is None:
        inputs, targets, _ = _by_loader("load_diabetes", scaled=False)
    values = targets.reshape(-1, 1)
    return Data(inputs, values, REGRESSION, (), "diabetes", ("progression",))


def _with_header(name: str, file: str, loader: str) -> Data:
    rows = _read(file, ",", 1)
    if rows is None:
        return _classes(name, *_by_loader(loader))
    header = _folder().joinpath(file).read_text().split("\n", 1)[0]
    return _classes(name, rows[:, :-1], rows[:, -1], tuple(header.strip().split(",")[2:]))


def _classes(name: str, inputs: Numbers, codes: Numbers, classes: tuple[object, ...]) -> Data:
    target = {"digits": "digit", "iris": "species"}.get(name, "class")
    return Data(inputs, codes.astype(np.int32), CLASSIFICATION, classes, name, (target,))


def _folder() -> Path:
    spec = importlib.util.find_spec("sklearn")
    origin = spec.origin if spec is not None else None
    return Path(origin or "").parent / "datasets" / "data"


def _read(file: str, delimiter: str | None, header: int) -> Numbers | None:
    path = _folder() / file
    if not path.is_file():
        return None
    if path.suffix == ".gz":
        with gzip.open(path, "rt") as lines:
            return np.loadtxt(lines, delimiter=delimiter, skiprows=header)
    return np.loadtxt(path, delimiter=delimiter, skiprows=header)


def _by_loader(loader: str, **options: bool) -> tuple[Numbers, Numbers, tuple[object, ...]]:
    from sklearn import datasets

    bunch = getattr(datasets, loader)(**options)
    names = tuple(n.item() for n in bunch.target_names) if "target_names" in bunch else ()
    return bunch.data, bunch.target, names


BY_NAME: dict[str, Callable[[], Data]] = {
    "digits": digits,
    "digit_images": digit_images,
    "iris": iris,
    "wine": wine,
    "breast_cancer": breast_cancer,
    "diabetes": diabetes,
}
"""The data sets by the name that the command line takes."""
