"""Where a generation can stand."""

from typing import Final

IN_QUEUE: Final = "IN_QUEUE"
IN_PROGRESS: Final = "IN_PROGRESS"
COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"
CANCELED: Final = "CANCELED"

TERMINAL_STATUSES: Final = frozenset({COMPLETED, FAILED, CANCELED})
"""Those in which it has ended. A newer API may have others in which it has not."""
