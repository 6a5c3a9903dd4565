"""A network run by OpenVINO on the CPU, in float32, where its features equal torch's.

Converted once for each shape of clips and kept in the cache folder; compared with torch before each use.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import threading
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidalign._version import __version__
from vidalign.backbones.batching import CPU_BATCH
from vidalign.backbones.registry import Backbone
from vidalign.backbones.runtimes.probe import TOLERANCE, difference, noise_clips
from vidalign.errors import ModelError, StoreError
from vidalign.store.atomic import atomic_folder, remove_leftovers
from vidalign.weights.cache import cache_dir

log = logging.getLogger(__name__)

REFUSALS = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError)
"""What torch's exporter and OpenVINO's reader raise about a network that they do not understand."""


class OpenVINONetwork(nn.Module):
    """Clips (B, 3, N, H, W) -> the layer of the backbone's recipe (B, D), alone in a dict.

    Raises ModelError where the network cannot be converted, or gives other features than torch.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self._network, self._recipe = backbone.network, backbone.recipe
        self._card, self._sha256 = backbone.card, backbone.sha256
        self._requests: dict[tuple[int, ...], Any] = {}
        self._lock = threading.Lock()

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Batches of one size, the last one filled with its last clip."""
        with self._lock:
            rows = [self._run(part) for part in torch.split(clips, CPU_BATCH)]
        return {self._recipe.layer: torch.cat(rows)}

    def _run(self, clips: Tensor) -> Tensor:
        missing = CPU_BATCH - len(clips)
        full = torch.cat([clips, clips[-1:].expand(missing, -1, -1, -1, -1)]) if missing else clips
        shape = tuple(full.shape)
        if shape not in self._requests:
            self._requests[shape] = self._prepared(shape)
        return _infer(self._requests[shape], full)[: len(clips)]

    def _prepared(self, shape: tuple[int, ...]) -> Any:
        """A request for clips of that shape, as soon as it gives the features that torch gives."""
        folder = cache_dir() / "openvino" / self._key(shape)
        request = self._request(shape, folder)
        trial = noise_clips(shape, self._recipe)
        with torch.inference_mode():
            apart = difference(_infer(request, trial), self._network(trial)[self._recipe.layer])
        if not apart <= TOLERANCE:
            raise ModelError(
                f"{self._card}: OpenVINO's features differ from torch's by {apart:.1e} of the largest value, "
                f"more than {TOLERANCE:g}",
                hint="use --runtime torch",
            )
        log.info("%s runs on OpenVINO; its features differ from torch's by %.1e", self._card, apart)
        return request

    def _request(self, shape: tuple[int, ...], folder: Path) -> Any:
        """A request to what is in the folder; what is not there, spoilt, or just being replaced by another
        process is converted, twice at most.
        """
        for _ in range(2):
            try:
                return _request(folder)
            except RuntimeError:
                self._convert(shape, folder)
        return _request(folder)

    def _key(self, shape: tuple[int, ...]) -> str:
        """What a conversion depends on."""
        versions = (__version__, torch.__version__, version("openvino"))
        parts = (self._card, self._sha256, self._recipe.layer, shape, versions)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def _convert(self, shape: tuple[int, ...], folder: Path) -> None:
        log.info("%s is converted for OpenVINO", self._card)
        openvino = import_openvino()
        single = _ChannelsLast(self._network, self._recipe.layer).eval()
        example = torch.zeros(shape).permute(0, 2, 3, 4, 1).contiguous()
        try:
            with warnings.catch_warnings():  # torch's exporter warns of itself
                warnings.simplefilter("ignore")
                model = openvino.convert_model(torch.export.export(single, (example,)))
            model.reshape(list(example.shape))
        except _failures(openvino) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            reason = lines[0] if isinstance(error, REFUSALS) else lines[-1]
            raise ModelError(
                f"{self._card} cannot be converted for OpenVINO: {reason}", hint="use --runtime torch"
            ) from None
        _keep(openvino, model, folder)


class _ChannelsLast(nn.Module):
    """One layer of a network, of clips (B, N, H, W, 3)."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network, self.layer = network, layer

    def forward(self, clips: Tensor) -> Tensor:
        features: Tensor = self.network(clips.permute(0, 4, 1, 2, 3))[self.layer]
        return features


def import_openvino() -> Any:
    """The package, which tells its maker of its use unless the part that does so cannot be imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino
    import openvino.frontend

    return openvino


def _failures(openvino: Any) -> tuple[type[Exception], ...]:
    room = openvino.frontend
    own = (
        room.OpConversionFailure,
        room.OpValidationFailure,
        room.GeneralFailure,
        room.NotImplementedFailure,
    )
    return REFUSALS + own


def _keep(openvino: Any, model: Any, folder: Path) -> None:
    """Write a converted model, whole or not at all; another process may do the same at the same time."""
    remove_leftovers(folder.parent)
    try:
        with atomic_folder(folder) as ready:
            openvino.save_model(model, ready / "model.xml", compress_to_fp16=False)
    except StoreError as error:
        if not folder.is_dir():
            raise ModelError(error.message, hint="set VIDALIGN_CACHE to a folder of your own") from None


def _request(folder: Path) -> Any:
    """A request to the model in that folder, with torch's number of threads; RuntimeError where none is."""
    core = import_openvino().Core()
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(core.read_model(folder / "model.xml"), "CPU", settings).create_infer_request()


def _infer(request: Any, clips: Tensor) -> Tensor:
    given = clips.permute(0, 2, 3, 4, 1).contiguous().numpy()
    return torch.from_numpy(request.infer([given], share_inputs=True)[0])
