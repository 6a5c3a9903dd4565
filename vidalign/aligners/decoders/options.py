"""What can be set of each decoder, and how it is written: NAME or NAME:KEY=VALUE,KEY=VALUE."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints

from vidalign.errors import ModelError, UsageError, did_you_mean

Extent = Literal["peak", "path"]
"""How far a segment reaches: as far as around a peak, but within the clips of the path; or all of these."""


def _from(default: float, low: float, high: float = math.inf) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class PeakOptions:
    """Nothing to choose."""


@dataclass(frozen=True, slots=True)
class DtwOptions:
    """`segment` is an `Extent`."""

    segment: Extent = "peak"


@dataclass(frozen=True, slots=True)
class OtamOptions:
    """`segment` is an `Extent`."""

    segment: Extent = "peak"


@dataclass(frozen=True, slots=True)
class DropDtwOptions:
    """What dropping a clip or a sentence costs, as a percentile of the costs of all scored cells.

    The defaults are those that do well in the synthetic world, as `ViterbiOptions.skip` is.
    """

    clips: float = _from(2.0, 0, 100)
    sentences: float = _from(0.1, 0, 100)
    segment: Extent = "path"


@dataclass(frozen=True, slots=True)
class StepsOptions:
    """`runs`: a step may take several seconds. `background` is the cost of a second without a step.

    `cost`: how much similarity is lacking, or (CrossTask) minus its log-softmax over the steps of a second,
    at the scorer's temperature.
    """

    runs: bool = False
    background: float = _from(0.0, 0)
    cost: Literal["similarity", "softmax"] = "similarity"


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """`bucket` is a percentile of the sentences' best similarities, `epsilon` the weight of the entropy.

    `epsilon` counts in units of similarity, `iterations` are Sinkhorn's.
    """

    bucket: float = _from(50.0, 0, 100)
    epsilon: float = _from(0.1, 1e-6)
    iterations: int = _from(50, 1)


@dataclass(frozen=True, slots=True)
class ViterbiOptions:
    """`skip` is a percentile, as in `DropDtwOptions`, of what leaving a sentence out costs.

    `prior` is the similarity lost for every minute between a clip and the time when the sentence was spoken.
    `distinct`: no two sentences take the same clip.
    """

    skip: float = _from(4.0, 0, 100)
    prior: float = _from(0.0, 0)
    distinct: bool = False


Options = (
    PeakOptions | DtwOptions | OtamOptions | DropDtwOptions | StepsOptions | TransportOptions | ViterbiOptions
)

OPTIONS: Mapping[str, type[Options]] = {
    "peak": PeakOptions,
    "dtw": DtwOptions,
    "otam": OtamOptions,
    "drop-dtw": DropDtwOptions,
    "steps": StepsOptions,
    "ot": TransportOptions,
    "viterbi": ViterbiOptions,
}


def parse(written: str) -> tuple[str, Options]:
    """Name and options of a decoder as it is written; raises ModelError or UsageError."""
    name, _, rest = written.partition(":")
    if name not in OPTIONS:
        hint = did_you_mean(name, OPTIONS, f"known decoders: {', '.join(OPTIONS)}")
        raise ModelError(f"unknown decoder {name!r}", hint=hint)
    kind = OPTIONS[name]
    known = {f.name: f for f in fields(kind)}
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for entry in filter(None, rest.split(",")):
        key, equals, text = (part.strip() for part in entry.partition("="))
        if not equals:
            raise UsageError(f"decoder option {entry!r} has no value", hint="write KEY=VALUE")
        if key not in known:
            hint = f"it knows {', '.join(known)}" if known else "it has none"
            raise UsageError(f"decoder {name} has no option {key!r}", hint=did_you_mean(key, known, hint))
        values[key] = _value(known[key], hints[key], text, f"decoder option {key}={text}")
    return name, kind(**values)


def canonical(written: str, more: Iterable[str] = ()) -> str:
    """A decoder as it is recorded: its options in one order, those at their defaults left out.

    `more` are further options, KEY=VALUE, which win. Raises ModelError or UsageError.
    """
    name, _, rest = written.partition(":")
    for entry in more:
        if "," in entry or "=" not in entry:
            raise UsageError(f"decoder option {entry!r} is not KEY=VALUE", hint="give one option at a time")
    return write(*parse(f"{name}:{','.join(filter(None, [rest, *more]))}"))


def write(name: str, options: Options) -> str:
    """Inverse of `parse`; what is at its default is left out."""
    values = {f.name: getattr(options, f.name) for f in fields(options)}
    changed = [f"{f.name}={_text(values[f.name])}" for f in fields(options) if values[f.name] != f.default]
    return f"{name}:{','.join(changed)}" if changed else name


def _value(entry: Field[Any], kind: Any, text: str, where: str) -> Any:
    if kind is bool:
        return _choice(text, ("true", "false"), where) == "true"
    if choices := get_args(kind):
        return _choice(text, choices, where)
    try:
        number = kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise UsageError(f"{where} is not {wanted}", hint="see the documentation of decoders") from None
    low, high = entry.metadata["low"], entry.metadata["high"]
    if not low <= number <= high or math.isinf(number):
        span = f"from {low:g} on" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise UsageError(f"{where} is out of range", hint=f"give a number {span}")
    return number


def _choice(text: str, choices: tuple[str, ...], where: str) -> str:
    if text not in choices:
        raise UsageError(f"{where} is none of its values", hint=f"give {' or '.join(choices)}")
    return text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)
