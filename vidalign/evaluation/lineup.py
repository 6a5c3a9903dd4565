"""Who competes: what was asked for becomes contenders, baselines first, each loaded when its turn comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vidalign.aligners.registry import load_aligner
from vidalign.aligners.scores import Encoders
from vidalign.aligners.windowing import Mode
from vidalign.evaluation import contest
from vidalign.evaluation.contest import Contender, Inputs
from vidalign.evaluation.files import NamedFiles, alignment_files, features_files, given_alignments
from vidalign.evaluation.htm_align import Protocol, Setup
from vidalign.text.subtitles.beside import SubtitleFolder
from vidalign.weights.cards import AlignerSpec
from vidalign.weights.defaults import default_model


@dataclass(frozen=True, slots=True)
class Lineup:
    """Alignment folders and files, models with the `features` they read, and baselines.

    `baselines` are times, uniform, similarity; `subtitles` is where the first reads, by default the first
    alignments, and where a decoder does that asks when sentences are spoken. `windowing` and `encoders` None:
    what the protocol says. `texts` holds sentence features, for models that read these. `decoder` is that of
    models and of the baseline similarity.
    """

    protocol: Protocol
    alignments: tuple[Path, ...] = ()
    models: tuple[str, ...] = ()
    features: Path | None = None
    baselines: tuple[str, ...] = ()
    subtitles: Path | None = None
    windowing: Mode | None = None
    encoders: Encoders | None = None
    device: str = "cpu"
    texts: Path | None = None
    decoder: str = "peak"

    def __iter__(self) -> Iterator[Contender]:
        """Raises ModelError where a model cannot be loaded."""
        for baseline in dict.fromkeys(self.baselines):
            yield from self._baseline(baseline)
        for name, files in self._groups():
            yield contest.of_alignments(name, files, self.protocol)
        for name in self.models:
            yield self._model(name)

    def _baseline(self, name: str) -> Iterator[Contender]:
        if name == "similarity":
            yield from self._similarities()
        elif name == "times" and self.subtitles is not None:
            yield contest.spoken_in_subtitles(self.subtitles, self.protocol)
        elif name == "times":
            yield contest.spoken_in_alignments(self._groups()[0][1], self.protocol)
        elif self.features is not None:
            yield contest.spread_over_features(features_files(self.features), self.protocol)
        else:
            yield contest.spread_over_alignments(self._groups()[0][1], self.protocol)

    def _similarities(self) -> Iterator[Contender]:
        """The plain similarity of each model, once of those that share one; where two of one backbone differ
        (in their weights, or by a calibration), the later says of which model it is.
        """
        seen: list[tuple[str, AlignerSpec]] = []
        for model in self.models or (default_model(),):
            aligner = load_aligner(model, scorer="similarity", device=self.device)
            alike = aligner.sha256, replace(aligner.spec, decoder="")
            if alike in seen:
                continue
            others = any(spec.backbone == aligner.spec.backbone for _, spec in seen)
            row = f"similarity of {aligner.spec.backbone}{f', by {model}' if others else ''}"
            seen.append(alike)
            yield contest.of_model(row, "baseline", aligner, self._inputs(texts=None), self._setup())

    def _groups(self) -> list[tuple[str, NamedFiles]]:
        """Each folder by itself, all single files together."""
        single = [path for path in self.alignments if not path.is_dir()]
        groups = [(str(path), alignment_files(path)) for path in self.alignments if path.is_dir()]
        return groups + ([("alignment files", given_alignments(single))] if single else [])

    def _model(self, name: str) -> Contender:
        aligner = load_aligner(name, device=self.device)
        return contest.of_model(name, "model", aligner, self._inputs(self.texts), self._setup())

    def _inputs(self, texts: Path | None) -> Inputs:
        assert self.features is not None
        subtitles = None if self.subtitles is None else SubtitleFolder(self.subtitles)
        return Inputs(
            features_files(self.features), None if texts is None else features_files(texts), subtitles
        )

    def _setup(self) -> Setup:
        return Setup(self.protocol, self.windowing, self.encoders, self.decoder)
