"""The ``run`` section: name, places, seed and device of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from model_constructor.config.late_typing import coerce
from model_constructor.errors import ConfigError, ParameterError, close_matches
from model_constructor.source_map import SourceMap
from offline_trainer.checkpoint.reading import AUTO
from offline_trainer.checkpoint.references import checkpoints_of
from offline_trainer.engine import PRECISIONS, RunSettings, check_device_name
from offline_trainer.errors import RunDirectoryError
from offline_trainer.run.directory import refuse_files

if TYPE_CHECKING:
    from offline_trainer.initial_weights import InitFrom


@dataclass(frozen=True, slots=True)
class RunSection:
    """The ``run`` section, checked.

    Attributes:
        name: What the run is called.
        out_dir: The run directory.
        seed: Seed of every random stream.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: ``fp32``, ``fp16-mixed`` or ``bf16-mixed``.
        deterministic: Use only deterministic operations where the framework offers them.
        limit_batches: Use at most so many batches of each epoch, validation and test.
        overfit_batch: Let the first training batch stand in for every other.
        resume_from: Checkpoint, run directory, ``RUN@best`` or ``auto``: go on exactly.
        init_from: Checkpoint or run directory: weights only, a new run.
        init_missing: Patterns of weights that ``init_from`` may lack.
        init_extra: Patterns of weights that only ``init_from`` may have.
    """

    name: str
    out_dir: str
    seed: int = 0
    device: str = "auto"
    precision: str = "fp32"
    deterministic: bool = False
    limit_batches: int | None = None
    overfit_batch: bool = False
    resume_from: str | None = None
    init_from: str | None = None
    init_missing: Sequence[str] = ()
    init_extra: Sequence[str] = ()

    def read_init_from(self) -> InitFrom | None:
        """The weights to start from, read and verified.

        Raises:
            OfflineTrainerError: They cannot be read.
        """
        if self.init_from is None:
            return None
        from offline_trainer.checkpoint.references import resolve
        from offline_trainer.initial_weights import InitFrom

        return InitFrom(resolve(self.init_from), self.init_missing, self.init_extra)

    def settings(self) -> RunSettings:
        """The part an engine acts on."""
        return RunSettings(self.seed, self.device, self.precision, self.deterministic)  # type: ignore[arg-type]


RUN_PATHS = ("out_dir", "resume_from", "init_from")

_REQUIRED = ("name", "out_dir")


def check_run_section(section: Mapping[str, Any], sources: SourceMap) -> list[ConfigError]:
    """Everything wrong with a ``run`` section."""
    return _read(section, sources)[1]


def read_run_section(section: Mapping[str, Any], sources: SourceMap) -> RunSection:
    """A checked ``run`` section as a value."""
    return RunSection(**_read(section, sources)[0])


def check_run_paths(
    section: Mapping[str, Any], names: Collection[str], sources: SourceMap
) -> Iterator[ConfigError]:
    """What is wrong on this disk with the paths that a ``run`` section has under these names."""
    values, _ = _read(section, sources)
    for name in names:
        path = values.get(name)
        if path is None or (name, path) == ("resume_from", AUTO):
            continue
        try:
            refuse_files(Path(path)) if name == "out_dir" else checkpoints_of(path)
        except RunDirectoryError as error:
            yield _wrong(error.message, name, sources, help=error.help)


def _read(
    section: Mapping[str, Any], sources: SourceMap
) -> tuple[dict[str, Any], list[ConfigError]]:
    hints = get_type_hints(RunSection)
    values: dict[str, Any] = {}
    errors = []
    for name, value in section.items():
        path = ("run", name)
        if name not in hints:
            errors.append(
                ConfigError(
                    f"unknown key `{name}` in run",
                    code="OT0305",
                    config_path=path,
                    span=sources.key_span(path),
                    suggestions=close_matches(name, hints),
                    help=f"accepted: {', '.join(hints)}",
                )
            )
            continue
        try:
            values[name] = coerce(value, hints[name], sources.get(path))
        except ValueError as error:
            errors.append(_wrong(str(error), name, sources))
    for required in _REQUIRED:
        if section.get(required, "") == "":  # null is of the wrong type, as said above
            errors.append(
                ConfigError(
                    f"run needs `{required}`",
                    code="OT0306",
                    config_path=("run", required),
                    span=sources.key_span(("run",)),
                )
            )
    try:
        check_device_name(values.get("device", "auto"))
    except ParameterError as error:
        errors.append(_wrong(error.message, "device", sources, suggestions=error.suggestions))
    precision = values.get("precision", "fp32")
    if precision not in PRECISIONS:
        choices = ", ".join(PRECISIONS)
        errors.append(
            _wrong(f"precision {precision!r} is not one of {choices}", "precision", sources)
        )
    seed = values.get("seed", 0)
    if not 0 <= seed < 2**63:
        errors.append(_wrong(f"seed must be 0 to 2**63 - 1, got {seed}", "seed", sources))
    limit = values.get("limit_batches")
    if limit is not None and limit < 1:
        errors.append(
            _wrong(f"limit_batches must be at least 1, got {limit}", "limit_batches", sources)
        )
    if values.get("resume_from") and values.get("init_from"):
        message = (
            "run.resume_from (go on) and run.init_from (start from weights) exclude each other"
        )
        errors.append(_wrong(message, "init_from", sources))
    return values, errors


def _wrong(
    message: str,
    name: str,
    sources: SourceMap,
    *,
    suggestions: Sequence[str] = (),
    help: str = "",
) -> ConfigError:
    path = ("run", name)
    return ConfigError(
        message,
        code="OT0316",
        config_path=path,
        span=sources.span(path),
        suggestions=suggestions,
        help=help,
    )
