"""What is wrong with one configuration, gathered across the stages that look at it.

A stage that finds a mistake goes on with what is left, and so do the stages after it: a person
gets all mistakes in one pass. What is only a consequence of an earlier mistake is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from model_constructor.errors import ConfigError, ConfigPath, raise_collected


class Findings:
    """The mistakes found so far, and the paths whose value nobody knows because of them.

    >>> findings = Findings()
    >>> findings.add([ConfigError("unresolved", config_path=("loss",))])
    >>> findings.add([ConfigError("not a loss", config_path=("loss", "_type_"))])
    >>> [error.message for error in findings.errors]
    ['unresolved']
    """

    def __init__(self) -> None:
        self.errors: list[ConfigError] = []
        self._failed: set[ConfigPath] = set()

    def add(self, errors: Iterable[ConfigError], *, unknown: Iterable[ConfigPath] = ()) -> None:
        """Take the mistakes of one stage.

        Args:
            errors: What it found. An error at, or below, a path that failed in an earlier stage is
                a consequence of that and is dropped.
            unknown: Paths, further to the errors' own, whose value is not known now.
        """
        new = [each for error in errors for each in error.errors if not self.spoilt(each)]
        self.errors += new
        self._failed.update(error.config_path for error in new if error.config_path)
        self._failed.update(unknown)

    @contextmanager
    def collecting(self, *, without: Collection[str] = ()) -> Iterator[None]:
        """Take what the body raises; it ends there, and the caller goes on.

        Args:
            without: Codes of errors that would be consequences of what is known to be wrong.
        """
        try:
            yield
        except ConfigError as error:
            self.add(each for each in error.errors if each.code not in without)

    def spoilt(self, error: ConfigError) -> bool:
        """Whether the place of an error has failed already."""
        path = error.config_path
        return any(path[:length] in self._failed for length in range(1, len(path) + 1))

    def in_section(self, *sections: str) -> bool:
        """Whether anything in one of these top-level sections is wrong."""
        return any(path[:1] == (section,) for path in self._failed for section in sections)

    def raise_all(self) -> None:
        """Raise what was found, together; return if nothing was."""
        raise_collected(self.errors)
