"""Divide the seconds of a process among named spans: each span's own seconds, without those inside it."""

from __future__ import annotations

import builtins
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


class Stopwatch:
    """Seconds by span. Spans may be nested: an inner one's seconds are not the outer one's.

    ``outside`` is the span of what no other span holds. Seconds before the stopwatch was made count as
    ``started``, if the time (`time.time()`) at which the process was started is known.
    """

    def __init__(self, outside: str = "other", began: float | None = None, started: str = "python") -> None:
        self.seconds: dict[str, float] = {}
        if began is not None:
            self.seconds[started] = time.time() - began
        self._open = [outside]
        self._since = time.perf_counter()

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Count the seconds inside as ``name``."""
        self._switch()
        self._open.append(name)
        try:
            yield
        finally:
            self._switch()
            self._open.pop()

    def stop(self) -> dict[str, float]:
        """Return the seconds of each span so far."""
        self._switch()
        return dict(self.seconds)

    def watch(self, owner: Any, attribute: str, name: str) -> None:
        """Count the seconds of every call of ``owner.attribute`` as ``name``."""
        original = getattr(owner, attribute)

        @wraps(original)
        def watched(*args: Any, **options: Any) -> Any:
            with self.span(name):
                return original(*args, **options)

        setattr(owner, attribute, watched)

    def watch_imports(self, name: str = "imports") -> None:
        """Count the seconds of imports as ``name``, wherever they happen. For a process that ends soon."""
        builtins.__import__ = self._counted(builtins.__import__, name)
        importlib.import_module = self._counted(importlib.import_module, name)

    def _counted(self, load: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(load)
        def counted(module: str, *args: Any, **options: Any) -> Any:
            if module in sys.modules or self._open[-1] == name:
                return load(module, *args, **options)
            with self.span(name):
                return load(module, *args, **options)

        return counted

    def _switch(self) -> None:
        now = time.perf_counter()
        current = self._open[-1]
        self.seconds[current] = self.seconds.get(current, 0.0) + now - self._since
        self._since = now
