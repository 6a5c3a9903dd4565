"""Videos and their subtitles -> alignment files; nothing is done twice."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from vidalign.batch import told
from vidalign.batch.aligning import Outcome, align_with, features_at_hand, read_pair
from vidalign.batch.alignments import finished, write_output
from vidalign.batch.boundary import attempt
from vidalign.batch.encoding import Progress
from vidalign.batch.finished import finished as features_finished
from vidalign.batch.ledger import Entry, Ledger, NoLedger, clear_leftovers
from vidalign.batch.outputs import check_writable
from vidalign.batch.pairs import Unpaired
from vidalign.batch.pipeline import Made, Many, Settings, Work, extract_many
from vidalign.batch.report import ItemResult
from vidalign.batch.rounds import Rounds, check_room, patiently, pause_after
from vidalign.batch.runfile import Wanted, recorded_runtime, recorded_threads
from vidalign.batch.settings import AlignRun, Inputs, Pair
from vidalign.batch.shards import Dealing
from vidalign.batch.steady import computing_with, usual_threads
from vidalign.batch.verdict import summarise
from vidalign.errors import LowConfidenceError, StaleError, VidalignError
from vidalign.store.items import Item, place
from vidalign.store.records import RUN
from vidalign.types import Alignment, Features

Ended = tuple[ItemResult, Alignment | None]
Begin = Callable[[Pair], Progress]
"""Called when work on a pair begins."""


def align_pairs(
    pairs: Sequence[Pair],
    run: AlignRun,
    *,
    unpaired: Sequence[Unpaired] = (),
    folder: Path | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    dry_run: bool = False,
    dealing: Dealing | None = None,
    tidy: bool = True,
    settings: Settings | None = None,
    many: Many | None = None,
    elsewhere: Container[Path] = frozenset(),
    joined: Callable[[], None] = lambda: None,
    extracts: bool | None = None,
    progress: Begin | None = None,
) -> Generator[Ended, None, None]:
    """Check everything now; then, as the results are asked for, align.

    What needs no work comes first, then each result, with its alignment, as soon as its file is on disk.
    Outputs, and features kept, that are `elsewhere` are finished. With the `folder` of many outputs there
    is a run file and a record of each failure in it, also of the videos `unpaired`, as `extract_items` has,
    which tells of the other arguments. `extracts`: whether the run file holds how features are made; None:
    where one of these pairs has none.

    Raises UsageError or one of its kind, at the call: no model, an output of other inputs or settings
    (`overwrite` redoes it, and the features kept); StoreError where a folder cannot be written.
    """
    run = _as_recorded(run, folder, steady=settings is not None and settings.deterministic)
    run.check(words=any(pair.texts is None for pair in pairs))
    run.check_texts(pairs)
    pairs = _with_kept_features(pairs, run, elsewhere, renew=overwrite)
    extracts = read_any(pairs) if extracts is None else extracts
    ledger = _ledger(pairs, run, folder, dealing, Manner(overwrite, retry_failed, extracts))
    looked = [(pair, None if overwrite else _end_before(pair, run, ledger, elsewhere)) for pair in pairs]
    due = [pair for pair, end in looked if end is None]
    ends = [end for _, end in looked if end is not None]
    if any(not pair.has_features for pair in due):
        run.extraction.check()
    stale = any(isinstance(result.error, StaleError) for result, _ in ends)
    unseen = any(pair.output in elsewhere for pair in pairs)
    if (due or stale or unseen) and not overwrite:
        ledger.check()
    alone = [
        _unpaired_end(each, ledger, record=not dry_run and each.item.output not in elsewhere)
        for each in unpaired
    ]
    if dry_run:
        return (end for end in [*alone, *ends, *map(_planned, due)])
    kept = [pair.kept.output for pair in due if pair.kept is not None]
    outputs = [*kept, *(pair.output for pair in due if pair.output is not None)]
    check_writable(outputs)
    features = _features_ledger(due, run, overwrite)
    if due:
        _open(run, ledger, features)
    joined()
    run = _following(run, ledger.threads, features.threads)
    if tidy:
        clear_leftovers(written_by(pairs, folder))
    many = many or partial(extract_many, settings=settings or Settings())
    return _Batch(run, ledger, features, many, progress).results([*alone, *ends], due)


def written_by(pairs: Iterable[Pair], folder: Path | None) -> Iterator[Path]:
    """All outputs, features kept too, and a file where the run files go."""
    if folder is not None:
        yield folder / RUN
    for pair in pairs:
        if pair.output is not None:
            yield pair.output
        if pair.kept is not None:
            yield from (pair.kept.folder / RUN, pair.kept.output)


def read_any(pairs: Iterable[Pair]) -> bool:
    """Whether the video of one of them is read."""
    return any(not pair.has_features for pair in pairs)


class Manner(NamedTuple):
    """How a run treats what is there, and whether it makes features."""

    overwrite: bool
    retry_failed: bool
    extracts: bool


def _as_recorded(run: AlignRun, folder: Path | None, *, steady: bool) -> AlignRun:
    """The run; where it leaves the runtime open, that which made the features of what is in the folder.

    `steady`: with the threads that all such runs of the folders compute with.
    """
    if steady:
        threads = (recorded_threads(folder, "align") if folder else None) or usual_threads()
        kept = recorded_threads(run.save_features, "extract") if run.save_features else None
        run = replace(run, threads=threads, features_threads=kept)
    if run.runtime != "auto" or folder is None:
        return run
    family = recorded_runtime(folder, "align", lambda: None)
    return run if family is None else replace(run, runtime=family)


def _open(run: AlignRun, ledger: Ledger, features: Ledger) -> None:
    """Join the runs of both folders."""
    if ledger.is_new and run.weights is not None:
        _ = run.aligner  # a wrong one must not be noted
    for each in (ledger, features):
        each.open()


def _following(run: AlignRun, threads: int | None, features_threads: int | None) -> AlignRun:
    """The run with the threads that the run files say, should another process have come first."""
    threads = threads or run.threads
    if threads == run.threads and (features_threads or threads) == (run.features_threads or threads):
        return run
    return replace(run, threads=threads, features_threads=features_threads)


def _ledger(
    pairs: Sequence[Pair], run: AlignRun, folder: Path | None, dealing: Dealing | None, manner: Manner
) -> Ledger:
    if folder is None:
        return NoLedger()
    how = partial(told.of_alignments, run, extracts=manner.extracts)
    first = told.first_alignment([pair.output for pair in pairs if pair.output is not None])
    wanted = Wanted(folder, "align", how, dealing, first, run.threads)
    return Ledger(wanted, run.reader, overwrite=manner.overwrite, retry_failed=manner.retry_failed)


def _features_ledger(due: Sequence[Pair], run: AlignRun, overwrite: bool) -> Ledger:
    """That of the folder of --save-features, which only holds how the features are made."""
    kept = [pair.kept for pair in due if pair.kept is not None]
    if not kept:
        return NoLedger()
    first = told.first_features([item.output for item in kept])
    how, threads = partial(told.of_extraction, run.extraction), run.extraction.threads
    wanted = Wanted(kept[0].folder, "extract", how, None, first, threads)
    return Ledger(wanted, run.reader, overwrite=overwrite)


def kept_items(pairs: Sequence[Pair], run: AlignRun) -> dict[Path, Item]:
    """The features files that --save-features keeps, by the videos that they are of.

    Pairs that know theirs keep it: names alone do not say who else there is.
    """
    if run.save_features is None:
        return {}
    known = {pair.video: pair.kept for pair in pairs if pair.kept is not None}
    named = [(pair.video, pair.name) for pair in pairs if not pair.has_features and pair.video not in known]
    return known | {item.source: item for item in place(named, run.save_features, ".h5")}


def with_kept(pairs: Sequence[Pair], run: AlignRun) -> list[Pair]:
    """The pairs, those whose videos are read knowing where --save-features keeps what is made of them."""
    items = kept_items(pairs, run)
    return [pair if pair.has_features else replace(pair, kept=items.get(pair.video)) for pair in pairs]


def _with_kept_features(
    pairs: Sequence[Pair], run: AlignRun, elsewhere: Container[Path], *, renew: bool
) -> list[Pair]:
    """With --save-features, pairs that know where theirs lie, those `elsewhere` as features given.

    Raises OutputMismatchError for other ones.
    """
    found = []
    for pair in with_kept(pairs, run):
        if pair.kept is not None:
            if not renew:
                attempt(partial(features_finished, pair.kept, run.extraction), pair.video)
            given = pair.kept.output if pair.kept.output in elsewhere else pair.features
            pair = replace(pair, features=given, renew=renew)
        found.append(pair)
    return found


def _end_before(pair: Pair, run: AlignRun, ledger: Ledger, elsewhere: Container[Path]) -> Ended | None:
    """As `_end_before_work`; an output `elsewhere` is finished."""
    if pair.output in elsewhere:
        return ItemResult(pair.name, "skipped", str(pair.video), str(pair.output)), None
    return _end_before_work(pair, run, ledger)


def _end_before_work(pair: Pair, run: AlignRun, ledger: Ledger) -> Ended | None:
    """The end of a pair that needs no work, has failed already, or had failed for good."""
    found = attempt(lambda: finished(pair, run), pair.video)
    failed = found if isinstance(found, VidalignError) else None
    if found is None:
        failed = _stale_features(pair, run)
    if found is None and failed is None and pair.output is not None:
        failed = ledger.former_failure(entry_of(pair))
    if failed is not None:
        return ItemResult(pair.name, "failed", str(pair.video), error=failed), None
    if found is None or isinstance(found, VidalignError):
        return None
    unsure = _unsure(pair, found, run)
    if unsure is not None:
        return ItemResult(pair.name, "failed", str(pair.video), error=unsure), found
    details = summarise(found).as_json()
    return ItemResult(pair.name, "skipped", str(pair.video), str(pair.output), details=details), found


def _unpaired_end(unpaired: Unpaired, ledger: Ledger, *, record: bool) -> Ended:
    """The end of a video without subtitles; it is made from them too, once they are there."""
    item, error, entry = unpaired.item, unpaired.error, entry_of(unpaired)
    former = ledger.former_failure(entry)
    if former is None and record:
        ledger.note(entry, error)
    return ItemResult(item.name, "failed", str(item.source), error=former or error), None


def _stale_features(pair: Pair, run: AlignRun) -> StaleError | None:
    """That the features kept are of a video that has changed, and may not be replaced."""
    if pair.kept is None or pair.has_features or pair.renew:
        return None
    found = attempt(partial(features_finished, pair.kept, run.extraction), pair.video)
    return found if isinstance(found, StaleError) else None


def entry_of(pair: Pair | Unpaired) -> Entry:
    """As the ledger knows it."""
    if isinstance(pair, Unpaired):
        item, _, files = pair
        return Entry(item.name, item.output, (item.source, item.source.with_suffix(".vtt")), files)
    return Entry(pair.name, pair.output or Path(pair.name), pair.inputs, pair.files)


def _planned(pair: Pair) -> Ended:
    return ItemResult(pair.name, "planned", str(pair.video), str(pair.output or "-")), None


class _Batch:
    """The work itself: pairs whose features are at hand one by one, the others as their features come."""

    def __init__(
        self, run: AlignRun, ledger: Ledger, features: Ledger, many: Many, begin: Begin | None
    ) -> None:
        self._run, self._ledger, self._features = run, ledger, features
        self._many, self._begin = many, begin
        self._meters: dict[int, Progress] = {}
        self._under_way: dict[int, tuple[Pair, Inputs]] = {}
        self._ends: deque[Ended] = deque()
        self._failures: Counter[str] = Counter()
        self._rounds: Rounds[Pair] = Rounds(())

    def results(self, ends: Sequence[Ended], due: Sequence[Pair]) -> Generator[Ended, None, None]:
        """`ends`, then what becomes of the pairs that are due, as it comes; the ledgers are closed then."""
        with ExitStack() as stack:
            for ledger in (self._ledger, self._features):
                stack.callback(ledger.close)
            yield from ends
            self._rounds = Rounds(due)
            for ready in self._rounds:
                yield from self._round(ready)

    def _round(self, pairs: Sequence[Pair]) -> Iterator[Ended]:
        reads = []
        for pair in pairs:
            if self._has_features(pair):
                yield from self._at_once(pair)
            else:
                reads.append(pair)
        with closing(self._many(self._works(reads), progress=self._tell)) as many:
            for made in many:
                yield from self._decided()
                yield from self._made(made)
        yield from self._decided()

    def _has_features(self, pair: Pair) -> bool:
        if pair.has_features or pair.kept is None or pair.renew:
            return pair.has_features
        return isinstance(
            attempt(partial(features_finished, pair.kept, self._run.extraction), pair.video), dict
        )

    def _at_once(self, pair: Pair) -> Iterator[Ended]:
        """A pair whose features are at hand."""
        inputs = self._taken(pair)
        yield from self._decided()
        if inputs is None:
            return
        given = replace(pair, features=pair.kept.output) if pair.kept and not pair.has_features else pair
        features = patiently(lambda: attempt(lambda: features_at_hand(given), pair.video))
        assert features is not None
        yield from self._settled(pair, inputs, features)

    def _works(self, pairs: Sequence[Pair]) -> Iterator[Work]:
        """The videos to read, each pair taken, and its subtitles read, just before."""
        for pair in pairs:
            inputs = self._taken(pair)
            if inputs is not None:
                key = id(inputs)
                self._under_way[key] = pair, inputs
                if self._begin is not None:
                    self._meters[key] = self._begin(pair)
                yield Work(key, pair.video, [self._run.extraction], partial(pair.files.opened, pair.video))

    def _taken(self, pair: Pair) -> Inputs | None:
        """What a pair says, where it is this process's now; else it is put off, or its end is known."""
        entry = entry_of(pair)
        if not self._ledger.take(entry):
            self._rounds.others_have(pair)
            return None
        end = _end_before_work(pair, self._run, self._ledger) if self._ledger.may_have_ended(entry) else None
        if end is not None:
            self._ledger.give_back(entry)
            self._ends.append(end)
            return None
        inputs = patiently(lambda: attempt(lambda: read_pair(pair, self._run), pair.video))
        if isinstance(inputs, VidalignError):
            self._ledger.settle(entry, inputs)
            self._ends.append((ItemResult(pair.name, "failed", str(pair.video), error=inputs), None))
            return None
        return inputs

    def _decided(self) -> Iterator[Ended]:
        """The ends that were found on the way."""
        while self._ends:
            yield self._ends.popleft()

    def _made(self, made: Made) -> Iterator[Ended]:
        """What became of a pair whose video was read; one worth another try is put off."""
        self._meters.pop(made.key, None)
        pair, inputs = self._under_way.pop(made.key)
        (features,) = made.results
        self._failures[pair.name] += isinstance(features, VidalignError)
        pause = pause_after(features, self._failures[pair.name])
        if pause is not None:
            self._ledger.give_back(entry_of(pair))
            self._rounds.put_off(pair, pause)
            return
        del self._failures[pair.name]
        if isinstance(features, Features) and pair.kept is not None:
            features = _kept(pair, pair.kept, features)
        yield from self._settled(pair, inputs, features)

    def _settled(self, pair: Pair, inputs: Inputs, features: Features | VidalignError) -> Iterator[Ended]:
        end = _aligned(pair, self._run, inputs, features)
        self._ledger.settle(entry_of(pair), end[0].error)
        yield end
        check_room(end[0].error)

    def _tell(self, key: int, done: float, length: float | None) -> None:
        meter = self._meters.get(key)
        if meter is not None:
            meter(done, length)


def _kept(pair: Pair, item: Item, features: Features) -> Features | VidalignError:
    """The features, once they are written; else why they are not."""
    from vidalign.store.features import write_features

    failed = patiently(lambda: attempt(partial(write_features, item.output, features), pair.video))
    return features if failed is None else failed


def _aligned(pair: Pair, run: AlignRun, inputs: Inputs, features: Features | VidalignError) -> Ended:
    """Align a pair and write its output; the result."""
    source = str(pair.video)
    outcome: Outcome | VidalignError
    if isinstance(features, VidalignError):
        outcome = features
    else:
        with run.aligners.alone, computing_with(run.threads):
            outcome = attempt(lambda: align_with(pair, run, inputs, features), pair.video)
    if isinstance(outcome, VidalignError):
        return ItemResult(pair.name, "failed", source, error=outcome), None
    alignment = outcome.alignment
    error = _unsure(pair, alignment, run) or patiently(
        lambda: attempt(partial(_write, pair, outcome, run), pair.video)
    )
    result = ItemResult(
        pair.name,
        "failed" if error else "partial" if outcome.truncated else "done",
        source,
        "" if error else str(pair.output or ""),
        error=error,
        warnings=outcome.warnings,
        truncated=outcome.truncated,
        details=summarise(alignment).as_json(),
    )
    return result, alignment


def _write(pair: Pair, outcome: Outcome, run: AlignRun) -> None:
    if pair.output is not None:
        write_output(pair.output, outcome.alignment, outcome.inputs, run)


def _unsure(pair: Pair, alignment: Alignment, run: AlignRun) -> LowConfidenceError | None:
    confidence = summarise(alignment).confidence
    if run.min_confidence is None or confidence >= run.min_confidence:
        return None
    return LowConfidenceError(
        f"{pair.video}: confidence {confidence:.2f} is below {run.min_confidence:g}",
        hint="nothing was written; a lower --min-confidence writes it",
    )
