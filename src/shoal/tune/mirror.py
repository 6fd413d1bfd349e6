"""Mirror: the live study, written behind the training into a storage of Optuna.

The live study is in memory, so that neither sampler nor pruner waits for a disk. A thread writes
each finished trial, whole and in order, while the devices train: beside a sampler it would take
turns with it in one interpreter. Beside the trials it writes, in one attribute of the study, which
trials were asked for; what that attribute names and no finished trial has was in training when the
process ended, and is started again.

    trial.user_attrs["trial"]      the number of the trial, kept when it is started again
    study.user_attrs["asked"]      {number: {parameter: value}} of the trials in training
    study.user_attrs["space"]      the space as JSON;  "data" its fingerprint;  "seed"
"""

import queue
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from shoal.errors import FileError, RecipeError

LOCK_SECONDS = 3
"""A lock of the journal older than this was left by a process that was killed."""


def open_storage(wanted: str | Path | BaseStorage) -> BaseStorage:
    """A storage from a URL, a file or an object.

    Args:
        wanted: "postgresql://...", "sqlite:///...", a path that ends in .db or .sqlite3 for SQLite,
            any other path for a journal.

    Raises:
        FileError: it cannot be opened.
    """
    if isinstance(wanted, BaseStorage):
        return wanted
    text = str(wanted)
    try:
        if "://" not in text:
            Path(text).parent.mkdir(parents=True, exist_ok=True)
            if not text.endswith((".db", ".sqlite", ".sqlite3")):
                return _journal(text)
            text = f"sqlite:///{text}"
        return optuna.storages.RDBStorage(text)
    except (OSError, ValueError, ImportError, _sql_error()) as error:
        raise FileError(
            f"the storage {wanted}",
            required="a journal or database that can be opened",
            got=str(error).split("\n", 1)[0],
            remedy="check path, address and driver",
        ) from error


def _journal(path: str) -> BaseStorage:
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

    lock = JournalFileOpenLock(path, grace_period=LOCK_SECONDS)
    _drop_torn_line(path, lock)
    return JournalStorage(JournalFileBackend(path, lock_obj=lock))


def _drop_torn_line(path: str, lock: Any) -> None:
    """Cut off what a process that was killed while it wrote left of its last line.

    Readers leave such a line out, but the next line would be written behind it.
    """
    if not Path(path).exists():
        return
    lock.acquire()
    try:
        with open(path, "rb+") as file:
            text = file.read()
            if text and not text.endswith(b"\n"):
                file.truncate(text.rfind(b"\n") + 1)
    finally:
        lock.release()


def _sql_error() -> type[Exception]:
    from sqlalchemy.exc import SQLAlchemyError

    return SQLAlchemyError


class Mirror:
    """A study in a storage; a context manager that writes in a thread while it is open.

    Args:
        storage: where.
        name: of the study.
        about: what makes it this study: space, data, seed. Compared when it is there already.

    Attributes:
        finished: the trials found in it, in the order of their numbers.
        asked: {number: parameters} of those that were in training when it was left.

    Raises:
        RecipeError: the storage holds another study of that name.
    """

    def __init__(self, storage: BaseStorage, name: str, about: dict[str, Any]) -> None:
        self.study = quiet_study(storage, name)
        known = self.study.user_attrs
        for key, value in about.items():
            if key in known and known[key] != value:
                raise RecipeError(
                    f"the study {name!r} in this storage",
                    required=f"the same {key}",
                    got="another",
                    remedy="give the same space, data and seed to go on, or another folder",
                )
            if key not in known:
                self.study.set_user_attr(key, value)
        trials = [t for t in self.study.get_trials(deepcopy=False) if t.state.is_finished()]
        self.finished = sorted(trials, key=lambda trial: int(trial.user_attrs.get("trial", 0)))
        numbers = {int(t.user_attrs.get("trial", -1)) for t in self.finished}
        asked = known.get("asked", {})
        self.asked = {int(n): p for n, p in asked.items() if int(n) not in numbers}
        self._events: queue.SimpleQueue[FrozenTrial | dict[str, Any] | None] = queue.SimpleQueue()
        self._held: list[FrozenTrial | dict[str, Any]] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="shoal-mirror", daemon=True)

    def __enter__(self) -> "Mirror":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self._events.put(None)
        self._thread.join()
        if error is None:
            self._check()

    def put(self, event: FrozenTrial | dict[str, Any]) -> None:
        """A finished trial, or the trials now in training; written after the next ``release``.

        Raises:
            FileError: something before could not be written.
        """
        self._check()
        self._held.append(event)

    def release(self) -> None:
        """Let the thread write what was put; returns at once."""
        for event in self._held:
            self._events.put(event)
        self._held.clear()

    def _check(self) -> None:
        if self._error is not None:
            raise FileError(
                "the storage of the study",
                required="trials to be written",
                got=str(self._error).split("\n", 1)[0],
                remedy="free the disk or the database, and call tune again to go on",
            ) from self._error

    def _write(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                if isinstance(event, FrozenTrial):
                    self.study.add_trial(event)
                else:
                    self.study.set_user_attr("asked", event)
            except Exception as error:  # told to the main thread by the next put
                self._error = error
                return


def quiet_study(storage: BaseStorage | None, name: str | None, **settings: Any) -> optuna.Study:
    """A study to minimise, made or loaded without a line on the terminal."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=storage,
            study_name=name,
            direction="minimize",
            load_if_exists=storage is not None,
            **settings,
        )
    finally:
        optuna.logging.set_verbosity(level)
