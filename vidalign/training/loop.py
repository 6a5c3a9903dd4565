"""The training loop: steps, records, validations and checkpoints of one run, alone or under torchrun."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vidalign.errors import ConfigError, DataError
from vidalign.training import checkpoint
from vidalign.training.alike import AlikeStream
from vidalign.training.checkpoint import Progress, State
from vidalign.training.config import Configuration
from vidalign.training.distributed import any_rank, from_first, wrapped
from vidalign.training.interrupts import Interrupts
from vidalign.training.jobs import Batch, Job, Objective, TrainingSet
from vidalign.training.journal import Journal
from vidalign.training.meter import LossMeter
from vidalign.training.optim import learning_rate, make_optimizer, set_rate
from vidalign.training.place import Place
from vidalign.training.stream import BatchKeys, open_batches, shuffled, to_device

_LOG = logging.getLogger("vidalign.training")
_AGREE_EVERY = 10
"""Steps between two agreements of several processes on whether to stop."""

Watch = Callable[[int, int, str], None]
"""Told the steps done, the steps of the whole run and a note, at first and after every step."""


class Loop:
    """One run from its last checkpoint to its end."""

    def __init__(
        self, config: Configuration, folder: Path, job: Job, place: Place, state: State | None
    ) -> None:
        self.config, self.folder, self.job, self.place = config, folder, job, place
        self.options = config.common.training
        self.progress = state.progress if state else Progress()
        torch.manual_seed(config.common.seed)
        self.objective: Objective = job.objective()
        if state:
            self.objective.load_state_dict(state.objective)
        self.objective.to(place.device)
        self.module: nn.Module = wrapped(self.objective, place.ranks, place.device)
        trained = self.objective.decay_names()
        self.parameters = list(trained.values())
        multipliers = self.objective.rate_multipliers()
        self.optimizer = make_optimizer(trained, config.common.optimizer, multipliers)
        self.scaler = torch.amp.GradScaler(place.device.type, enabled=place.precision == "fp16")
        if state:
            self.optimizer.load_state_dict(state.optimizer)
            self.scaler.load_state_dict(state.scaler)
        pending = self.progress.pending
        self.losses = LossMeter(pending[place.ranks.rank] if pending else ())
        self._note = ""
        self._epoch = 1.0

    def run(
        self, data: TrainingSet[Any], journal: Journal | None, interrupts: Interrupts, watch: Watch
    ) -> None:
        """Train to the end; raises DataError on a loss that is no number, and what an interrupt asks for.

        `journal` is None in all processes but the first.
        """
        steps = self.steps(data)
        self._epoch = len(data) / self._items_a_step()
        batches = self._batches(data, steps)
        watch(self.progress.step, steps, "")
        self.module.train()
        if self.progress.step == 0 and self.options.validate_every:
            self._validate(journal)
        clock = _Clock(self._items_a_step())
        while not self.progress.finished:
            self._step(self.progress.step, steps, batches, clock)
            step = self.progress.step = self.progress.step + 1
            self.progress.finished = step >= steps
            if self._due(self.options.log_every):
                self._record(journal, steps, clock)
            if self._due(self.options.validate_every):
                with clock.aside():
                    self._validate(journal)
            interrupted = self._interrupted(interrupts)
            if interrupted or self._due(self.options.checkpoint_every):
                with clock.aside():
                    self._save(clock)
            watch(step, steps, self._note)
            if interrupted:
                interrupts.leave(interrupted)
        self._write_model()

    def steps(self, data: TrainingSet[Any]) -> int:
        """Steps of the whole run."""
        options = self.options
        if options.steps is not None:
            return options.steps
        assert options.epochs is not None
        return math.ceil(options.epochs * len(data) / self._items_a_step())

    def _rate(self, step: int, steps: int) -> float:
        return learning_rate(step, steps, self.config.common.optimizer, self._epoch)

    def _due(self, every: int) -> bool:
        """Whether the step just done is one of every so many (0: none), or the last."""
        return self.progress.finished or bool(every and self.progress.step % every == 0)

    def _items_a_step(self) -> int:
        return self.options.items_a_step(self.place.ranks.world)

    def _batches(self, data: TrainingSet[Any], steps: int) -> Iterator[Batch]:
        options = self.options
        todo = range(self.progress.step, steps)
        if options.alike:
            alike = AlikeStream(data, self.objective, self.config.common, self.place, self.progress)
            return alike.batches(todo)
        order = shuffled(len(data), self.config.common.seed)
        keys = BatchKeys(len(data), options.batch, order, self.place.ranks, todo, options.accumulate)
        return open_batches(data, keys, options.workers, self.place.device)

    def _step(self, step: int, steps: int, batches: Iterator[Batch], clock: _Clock) -> None:
        set_rate(self.optimizer, self._rate(step, steps))
        torch.manual_seed(_seed_of(self.config.common.seed, step, self.place.ranks.rank))
        self.optimizer.zero_grad(set_to_none=True)
        parts = self.options.accumulate
        found: list[Batch] = []
        for part in range(parts):
            with clock.waiting():
                batch = to_device(next(batches), self.place.device)
            with self._gradients_shared(part == parts - 1):
                with self.place.arithmetic():
                    losses = self.module(batch)
                self.scaler.scale(losses["loss"] / parts).backward()
            found.append(losses)
        named = _means(found)
        if self.options.clip_grad:
            self.scaler.unscale_(self.optimizer)
            named["grad_norm"] = nn.utils.clip_grad_norm_(self.parameters, self.options.clip_grad)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.objective.after_step()
        self.losses.add(named)
        clock.steps += 1

    def _gradients_shared(self, last: bool) -> contextlib.AbstractContextManager[None]:
        if last or self.place.ranks.world == 1:
            return contextlib.nullcontext()
        context: contextlib.AbstractContextManager[None] = self.module.no_sync()  # type: ignore[operator]
        return context

    def _record(self, journal: Journal | None, steps: int, clock: _Clock) -> None:
        step = self.progress.step
        means = self.losses.take(self.place.ranks, self.place.device)
        if not math.isfinite(means["loss"]):
            raise self._broken(means["loss"])
        rates = clock.rates()
        self._note = f"loss {means['loss']:.4f}, {rates['items_per_second']:.1f} items/s"
        if journal is not None:
            epoch = step / self._epoch
            rate = self._rate(step - 1, steps)
            numbers = {"epoch": round(epoch, 4), "learning_rate": rate, **means, **rates}
            journal.write(step, numbers)

    def _broken(self, loss: float) -> DataError:
        saved = self.folder / checkpoint.STATE
        return DataError(
            f"the loss is {loss} within the last {self.options.log_every} steps up to {self.progress.step}",
            hint="a lower learning_rate, a longer warmup, or clip_grad may help"
            + (f"; {saved} is of a good step" if saved.is_file() else ""),
        )

    def _validate(self, journal: Journal | None) -> None:
        device, ranks, wanted = self.place.device, self.place.ranks, self.options.metric
        value = math.nan
        if ranks.first:
            self.objective.eval()
            with torch.no_grad():
                numbers = self.job.validate(self.objective)
            self.objective.train()
            if self.options.keeps_best and wanted not in numbers:
                known = f"there is {', '.join(sorted(numbers))}" if numbers else "nothing to validate on"
                raise ConfigError(f"there is no metric {wanted!r} to choose the best by", hint=known)
            value = numbers.get(wanted, math.nan)
            if journal is not None and numbers:
                journal.write(self.progress.step, numbers, "validation/")
                said = ", ".join(f"{name} {number:.4g}" for name, number in numbers.items())
                _LOG.info("step %d: validation: %s", self.progress.step, said)
        self._compare(from_first(value, ranks, device))

    def _compare(self, value: float) -> None:
        progress, sign = self.progress, -1 if self.options.goal == "lower" else 1
        if progress.step == 0 or not self.options.keeps_best:
            return
        if math.isfinite(value) and (progress.best is None or sign * value > sign * progress.best):
            progress.best, progress.best_step, progress.stale = value, progress.step, 0
            if self.place.ranks.first:
                checkpoint.write_best(self.folder, self.objective.state_dict(), progress.step)
            return
        progress.stale += 1
        if self.options.patience and progress.stale >= self.options.patience:
            progress.finished = True

    def _interrupted(self, interrupts: Interrupts) -> int:
        """The number of the signal to leave by, 0 to go on; all processes decide alike."""
        if self.place.ranks.world > 1 and self.progress.step % _AGREE_EVERY:
            return 0
        return any_rank(interrupts.number, self.place.ranks, self.place.device)

    def _save(self, clock: _Clock) -> None:
        if not self._healthy():
            raise self._broken(math.nan)
        pending = self.losses.state(self.place.ranks, self.place.device)
        if not self.place.ranks.first:
            return
        self.progress.seconds += clock.lap()
        self.progress.pending = pending
        state = State(
            self.progress, self.objective.state_dict(), self.optimizer.state_dict(), self.scaler.state_dict()
        )
        checkpoint.write_state(self.folder, state, self.config, self.place.ranks.world)

    def _healthy(self) -> bool:
        return bool(torch.stack([value.isfinite().all() for value in self.parameters]).all())

    def _write_model(self) -> None:
        """Write the last weights, or the best where they are wanted, as a model."""
        if not self.place.ranks.first:
            return
        if self.options.keeps_best and self.progress.best is not None:
            self.objective.load_state_dict(checkpoint.read_best(self.folder))
        self.objective.eval()
        self.job.write_model(self.objective, self.folder / checkpoint.MODEL)


class _Clock:
    """Rates between two records, and the time that went into waiting for data."""

    def __init__(self, items_a_step: int) -> None:
        self._items = items_a_step
        self.steps = 0
        self._waited = 0.0
        self._since = self._lap = time.monotonic()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Time the body as waiting."""
        begin = time.monotonic()
        yield
        self._waited += time.monotonic() - begin

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """The body's time does not count in the rates."""
        begin = time.monotonic()
        yield
        self._since += time.monotonic() - begin

    def rates(self) -> dict[str, float]:
        """Items a second and the share of time spent waiting since the last call."""
        now = time.monotonic()
        spent = max(now - self._since, 1e-9)
        rates = {
            "items_per_second": round(self.steps * self._items / spent, 2),
            "waiting": round(self._waited / spent, 3),
        }
        self._since, self._waited, self.steps = now, 0.0, 0
        return rates

    def lap(self) -> float:
        """Seconds since the last call."""
        now = time.monotonic()
        self._lap, spent = now, now - self._lap
        return spent


def _means(found: list[Batch]) -> Batch:
    """The means of the parts of a step."""
    if len(found) == 1:
        return dict(found[0])
    return {name: torch.stack([losses[name].detach() for losses in found]).mean() for name in found[0]}


def _seed_of(seed: int, step: int, rank: int) -> int:
    """The seed of torch's generator for one step, so that a resumed run draws what the whole one drew."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> 1)
