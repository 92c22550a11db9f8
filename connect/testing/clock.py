"""The stand-in's clock: real time, shifted, or frozen. All of Stripe's `created` and `Date` come from it."""

import threading
import time


class Clock:
    """Seconds since the epoch. `set` and `advance` may run while requests are served."""

    def __init__(self, frozen_unix: int | None = None) -> None:
        self._lock = threading.Lock()
        self._offset = 0.0
        self._frozen_unix: float | None = frozen_unix

    @property
    def frozen(self) -> bool:
        return self._frozen_unix is not None

    def now(self) -> int:
        with self._lock:
            return int(self._exact())

    def set(self, unix: float) -> None:
        """Show this time from now on, standing still if frozen and running on if not."""
        with self._lock:
            if self._frozen_unix is not None:
                self._frozen_unix = unix
            else:
                self._offset = unix - time.time()

    def advance(self, seconds: float) -> None:
        with self._lock:
            if self._frozen_unix is not None:
                self._frozen_unix += seconds
            else:
                self._offset += seconds

    def freeze(self, unix: float | None = None) -> None:
        with self._lock:
            self._frozen_unix = self._exact() if unix is None else unix

    def resume(self) -> None:
        """Run on from the time now shown."""
        with self._lock:
            if self._frozen_unix is not None:
                self._offset = self._frozen_unix - time.time()
                self._frozen_unix = None

    def reset(self) -> None:
        """Show real time again."""
        with self._lock:
            self._frozen_unix, self._offset = None, 0.0

    def _exact(self) -> float:
        return self._frozen_unix if self._frozen_unix is not None else time.time() + self._offset
