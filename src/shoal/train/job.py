"""Job: recipes grouped by signature, trained campaign by campaign, with checkpoints between chunks.

A job is what ``fit``, ``fit_many`` and ``resume`` share. Its state on disk is, in one folder:

    recipe.json                the first recipe, to read
    checkpoint-*.{json,safetensors}   the campaign under way (see ``checkpoint``)
    outcomes/*.safetensors     recipes that have finished
    record.parquet             written at the end, and model.safetensors with it
    about.json                 written at the end: card of the data, versions, devices
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shoal import describe
from shoal.data.dataset import Data
from shoal.data.fingerprint import fingerprint
from shoal.data.preparation import Prepared
from shoal.errors import DataError
from shoal.files import write_atomically
from shoal.nets import compose
from shoal.recipe import Recipe
from shoal.train import about, checkpoint, outcome
from shoal.train.campaign import Campaign
from shoal.train.outcome import Outcome
from shoal.train.pool import Pool
from shoal.train.progress import Progress
from shoal.train.run import Run
from shoal.train.settings import Settings, plan_work
from shoal.train.slots import roomy_pool
from shoal.train.standing import standing


@dataclass(frozen=True)
class Keep:
    """What is kept on disk while training.

    Attributes:
        folder: where; None for nothing.
        every: seconds between checkpoints; 0 for one after every chunk.
        last: how many checkpoints stay.
    """

    folder: Path | None
    every: float
    last: int


class Job:
    """Recipes in training.

    Args:
        recipes: all members; ``sizes`` says how many of them, in order, make up each run.
        data: what they learn from.
        settings: of the pools.
        start_epoch: the global epoch to begin at.
        slots: of each pool; None to choose.

    Raises:
        RecipeError, ShapeError, DataError: recipes that cannot be trained on the data.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        data: Data,
        sizes: Sequence[int],
        settings: Settings,
        start_epoch: int = 0,
        slots: int | None = None,
    ) -> None:
        self.recipes, self.data, self.sizes = list(recipes), data, list(sizes)
        self.settings, self.start_epoch, self.slots = settings, start_epoch, slots
        self.groups = _by_signature(recipes)
        self.outcomes: list[Outcome | None] = [None] * len(self.recipes)
        self._number = 0
        self._began = self._saved = time.monotonic()
        self._prepared: dict[Any, Prepared] = {}
        for group in self.groups:  # whatever cannot be trained is refused before anything is done
            first = self.recipes[group[0]]
            plan_work(first, self.prepared(first))

    def prepared(self, recipe: Recipe) -> Prepared:
        """The data as a recipe wants it, the same object for the same preparation."""
        outputs = recipe.body.output_shape(self.data.shape)
        entries = compose.entries(recipe.net.layers)
        key = (recipe.resolved_preparation, recipe.class_weights, recipe.loss, entries, outputs)
        if key not in self._prepared:
            self._prepared[key] = recipe.prepare(self.data)
        return self._prepared[key]

    # --- running ---------------------------------------------------------------------------------

    def train(self, keep: Keep, line: Progress) -> list[Run]:
        """Train everything from the start."""
        for note in self.prepared(self.recipes[0]).notes():
            line.say(note)
        if keep.folder is not None:
            write_atomically(keep.folder / "recipe.json", self.recipes[0].to_json().encode())
        for group, indices in enumerate(self.groups):
            recipes = [self.recipes[index] for index in indices]
            pool = roomy_pool(recipes, self.prepared(recipes[0]), self.settings, self.slots)
            self._train(group, Campaign(recipes, pool, self.start_epoch), keep, line)
        return self._runs(keep)

    def go_on(self, found: checkpoint.Checkpoint, keep: Keep, line: Progress) -> list[Run]:
        """Train what a checkpoint left to do."""
        assert keep.folder is not None, "a job goes on from a folder"
        state, self._number = found.state, found.number
        for index in state["finished"]:
            self.outcomes[index] = outcome.load(keep.folder, index, self.recipes[index])
        recipes = [self.recipes[index] for index in self.groups[state["group"]]]
        settings = self.settings._replace(layout=state["campaign"]["layout"])
        slots = len(state["campaign"]["slots"])
        pool = Pool(recipes[0], self.prepared(recipes[0]), slots, settings)
        campaign = Campaign(recipes, pool)
        campaign.outcomes = [self.outcomes[index] for index in self.groups[state["group"]]]
        campaign.restore(found.tensors, state["campaign"])
        self._train(state["group"], campaign, keep, line)
        for group in range(state["group"] + 1, len(self.groups)):
            recipes = [self.recipes[index] for index in self.groups[group]]
            pool = roomy_pool(recipes, self.prepared(recipes[0]), self.settings, self.slots)
            self._train(group, Campaign(recipes, pool, self.start_epoch), keep, line)
        return self._runs(keep)

    def _train(self, group: int, campaign: Campaign, keep: Keep, line: Progress) -> None:
        indices = self.groups[group]
        later = [i for others in self.groups[group + 1 :] for i in others]
        waiting = sum(self.recipes[i].epochs for i in later)
        try:
            while not campaign.finished:
                for position in campaign.advance():
                    self._finish(indices[position], campaign.outcomes[position], keep)
                line.show(standing(campaign, self.outcomes, waiting))
                if time.monotonic() - self._saved >= keep.every or campaign.finished:
                    self._checkpoint(group, campaign, keep)
        except KeyboardInterrupt:
            self._checkpoint(group, campaign, keep)
            raise

    def _finish(self, index: int, found: Outcome | None, keep: Keep) -> None:
        assert found is not None
        self.outcomes[index] = found
        if keep.folder is not None:
            outcome.save(keep.folder, index, found)

    def _runs(self, keep: Keep) -> list[Run]:
        seconds = time.monotonic() - self._began
        runs, first = [], 0
        for size in self.sizes:
            done = [found for found in self.outcomes[first : first + size] if found is not None]
            prepared, level = self.prepared(done[0].recipe), self.settings.signals
            runs.append(Run.of(done, prepared, seconds, keep.folder, level))
            first += size
        if keep.folder is not None and len(runs) == 1:
            runs[0].record.save(keep.folder / "record.parquet")
            runs[0].save(keep.folder / "model.safetensors")
        if keep.folder is not None:
            about.save(keep.folder, runs[0])
        return runs

    # --- on disk ---------------------------------------------------------------------------------

    def _checkpoint(self, group: int, campaign: Campaign, keep: Keep) -> None:
        if keep.folder is None:
            return
        self._number += 1
        state = {
            "recipes": [describe.to_json(recipe) for recipe in self.recipes],
            "sizes": self.sizes,
            "start_epoch": self.start_epoch,
            "slots": self.slots,
            "block_rows": self.settings.block_rows,
            "signals": self.settings.signals,
            "data": fingerprint(self.data),
            "finished": [i for i, found in enumerate(self.outcomes) if found is not None],
            "group": group,
            "campaign": campaign.state(),
        }
        found = checkpoint.Checkpoint(self._number, campaign.tensors(), state)
        checkpoint.save(keep.folder, found, keep.last)
        self._saved = time.monotonic()

    @staticmethod
    def of(found: checkpoint.Checkpoint, data: Data) -> "Job":
        """The job that a checkpoint describes.

        Raises:
            DataError: other data than it had.
        """
        state = found.state
        if fingerprint(data) != state["data"]:
            raise DataError(
                data.name,
                required="the data that the training began with",
                got="other rows or targets",
                remedy="give the same data in the same order",
            )
        settings = Settings(block_rows=state["block_rows"], signals=state["signals"])
        recipes = describe.from_json(state["recipes"])
        start, slots = state["start_epoch"], state["slots"]
        return Job(recipes, data, state["sizes"], settings, start, slots)


def _by_signature(recipes: Sequence[Recipe]) -> list[list[int]]:
    groups: dict[Any, list[int]] = {}
    for index, recipe in enumerate(recipes):
        groups.setdefault(recipe.signature, []).append(index)
    return list(groups.values())
