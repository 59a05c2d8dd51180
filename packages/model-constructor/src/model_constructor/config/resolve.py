"""From a file or mapping, and overrides, to the resolved config: the whole pipeline, in order.

Pure and framework-free: nothing is imported, built or written. Whatever the input, the only
exception that leaves is `ConfigError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from model_constructor.config.apply import apply_overrides
from model_constructor.config.includes import (
    PackageFile,
    SourceFile,
    current_folder,
    load_files,
)
from model_constructor.config.interpolation import interpolate
from model_constructor.config.merge import Merger
from model_constructor.config.nodes import (
    MAX_DEPTH,
    MAX_NODES,
    Node,
    Origin,
    depth_error,
    from_python,
    size_error,
)
from model_constructor.config.provenance import Layer, Provenance, Sources
from model_constructor.config.renamed_keys import present_keys
from model_constructor.config.schema import Settings, check_top_level, read_settings
from model_constructor.config.templates import expand_templates
from model_constructor.config.unused import unused_params, unused_templates
from model_constructor.config.versions import Versions
from model_constructor.errors import ConfigError, ConfigPath, Note
from model_constructor.findings import Findings
from model_constructor.redaction import hide_in_error
from model_constructor.source_map import SourceMap

__all__ = [
    "Layer",
    "ResolvedConfig",
    "Settings",
    "SourceFile",
    "resolve_config",
    "resolve_with_findings",
]


@dataclass(frozen=True, slots=True)
class ResolvedConfig:
    """A configuration with nothing left to resolve.

    Attributes:
        data: Plain dicts, lists and scalars, without `defaults` and `templates`.
        settings: The `settings` section, checked.
        source_map: Where each value stands and how it was typed.
        provenance: What each leaf was before, lowest layer first.
        files: Every file that took part, in merge order, the main file last.
        find_warnings: Looks for what is legal and probably not meant; see `warnings`.
        secrets: Paths of values made from environment variables that must not be shown or stored.
        secret_texts: What those variables hold, to be hidden in any text.
    """

    data: dict[str, Any]
    settings: Settings
    source_map: SourceMap
    provenance: Provenance
    files: tuple[SourceFile, ...]
    find_warnings: Callable[[], tuple[Note, ...]] = field(repr=False, compare=False)
    secrets: frozenset[ConfigPath]
    secret_texts: frozenset[str]

    @property
    def warnings(self) -> tuple[Note, ...]:
        """What is legal and probably not meant; looked for when it is asked for."""
        return self.find_warnings()


def resolve_config(
    source: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    untrusted: bool = False,
    environ: Mapping[str, str] | None = None,
    package_file: PackageFile | None = None,
) -> ResolvedConfig:
    """Resolve a configuration: includes, overrides, templates and references.

    >>> config = resolve_config({"schema_version": 1, "params": {"a": 1, "b": "${params.a}"}})
    >>> config.data["params"]
    {'a': 1, 'b': 1}

    Args:
        source: Path of a YAML file, or a mapping with the same content.
        overrides: ``key.path=value`` arguments as on the command line.
        untrusted: Allow no environment, no include outside the file's folder, no imports, no
            targets.
        environ: Environment variables for ``${env:…}``; the process's own by default.
        package_file: Finds the file of a ``pkg://distribution/path`` include.

    Raises:
        ConfigError: Anything that is wrong with it; all errors of one stage together.
    """
    findings = Findings()
    config = resolve_with_findings(
        findings,
        source,
        overrides,
        untrusted=untrusted,
        environ=environ,
        package_file=package_file,
    )
    findings.raise_all()
    return config


def resolve_with_findings(
    findings: Findings,
    source: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    untrusted: bool = False,
    environ: Mapping[str, str] | None = None,
    package_file: PackageFile | None = None,
) -> ResolvedConfig:
    """As `resolve_config`, for a caller that has more to check before it reports.

    Args:
        findings: Takes what is wrong. The result is to be used for nothing but further checks if
            there is anything in it afterwards.

    Raises:
        ConfigError: Nothing can be said of the rest: a file cannot be read, or there is too much.
    """
    try:
        return _resolve(findings, source, overrides, untrusted, environ, package_file)
    except ConfigError as error:
        # What the files alone show is raised from inside, and stands in the findings already.
        findings.add(each for each in error.errors if each not in findings.errors)
        findings.raise_all()
        raise


def _resolve(
    findings: Findings,
    source: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str],
    untrusted: bool,
    environ: Mapping[str, str] | None,
    package_file: PackageFile | None,
) -> ResolvedConfig:
    trees, files = _read(source, untrusted, package_file, findings)
    merger = Merger()
    trees = [present_keys(tree, merger.warnings, findings) for tree in trees]
    root = trees[0]
    for layer, tree in enumerate(trees):
        tree.origin.layer = layer
        if "_merge_" in (tree.value if isinstance(tree.value, dict) else ()):
            raise ConfigError(
                "`_merge_` stands for one field, not for a whole file",
                code="OT0211",
                config_path=("_merge_",),
                span=tree.span,
            )
        root = merger.merge(root if layer else None, tree, ()) or root
    findings.add(merger.errors)
    merger.errors.clear()
    root = apply_overrides(
        root,
        overrides,
        folder=current_folder(),
        first_layer=len(trees),
        merger=merger,
        findings=findings,
    )
    root = present_keys(root, merger.warnings, findings)
    merged = root
    expanded = root = expand_templates(root, findings)
    environ = os.environ if environ is None else environ
    versions = Versions(root, len(trees), environ, untrusted=untrusted)
    root, secret_texts = interpolate(root, environ, findings, untrusted=untrusted)
    fields = root.value if isinstance(root.value, dict) else {}
    findings.add(check_top_level(fields))
    settings, wrong_settings = read_settings(fields)
    findings.add(wrong_settings)
    for error in findings.errors:
        hide_in_error(error, secret_texts)
    if untrusted:
        settings = replace(settings, allow_imports=False, allow_target=False, untrusted=True)
    outcome = _Outcome()
    data = outcome.plain(root, ())
    main, failed = len(trees) - 1, bool(findings.errors)

    def find_warnings() -> tuple[Note, ...]:
        if failed:  # a reference that failed may have been the one that reads a value
            return tuple(merger.warnings)
        nodes = outcome.history.values()
        params = unused_params(root, nodes, (merged, expanded), main)
        return (*merger.warnings, *unused_templates(merged, main), *params)

    return ResolvedConfig(
        data=data,
        settings=settings,
        source_map=SourceMap(Sources(outcome.nodes, versions)),
        provenance=Provenance(outcome.history, merged),
        files=files,
        find_warnings=find_warnings,
        secrets=frozenset(outcome.secrets),
        secret_texts=secret_texts,
    )


def _read(
    source: Any, untrusted: bool, package_file: PackageFile | None, findings: Findings
) -> tuple[list[Node], tuple[SourceFile, ...]]:
    if isinstance(source, Mapping):
        tree = from_python(source, Origin("<mapping>", current_folder()))
        if isinstance(tree.value, dict) and "defaults" in tree.value:
            raise ConfigError(
                "`defaults` works in files only: a mapping has no folder to include from",
                code="OT0206",
                config_path=("defaults",),
            )
        return [tree], ()
    if not isinstance(source, str | os.PathLike):
        raise ConfigError(
            f"a configuration is a file's path or a mapping, got a {type(source).__name__}",
            code="OT0101",
        )
    path = os.fsdecode(source)
    if not path or "\0" in path:
        raise ConfigError(f"not a file's path: {path!r}", code="OT0101")
    loaded = load_files(path, findings, untrusted=untrusted, package_file=package_file)
    return [tree for _, tree in loaded], tuple(file for file, _ in loaded)


class _Outcome:
    """Collects what a resolved tree holds while it is turned into plain data."""

    def __init__(self) -> None:
        self.nodes: dict[ConfigPath, Node] = {}
        self.history: dict[ConfigPath, Node] = {}
        self.secrets: list[ConfigPath] = []

    def plain(self, node: Node, path: ConfigPath) -> Any:
        if len(self.nodes) >= MAX_NODES:
            raise size_error(path, node.span)
        self.nodes[path] = node
        value = node.value
        if isinstance(value, (dict, list)):
            if len(path) >= MAX_DEPTH:
                raise depth_error(path, node.span)
            if not value or node.history or node.written:
                self.history[path] = node
            if isinstance(value, dict):
                return {key: self.plain(field, (*path, key)) for key, field in value.items()}
            return [self.plain(item, (*path, i)) for i, item in enumerate(value)]
        self.history[path] = node
        if node.secret:
            self.secrets.append(path)
        return value
