"""The statuses of a generation."""

from typing import Final

IN_QUEUE: Final = "IN_QUEUE"
IN_PROGRESS: Final = "IN_PROGRESS"
COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"
CANCELED: Final = "CANCELED"

TERMINAL_STATUSES: Final = frozenset({COMPLETED, FAILED, CANCELED})
"""The statuses of generations that have ended. A newer API may add statuses of running generations."""
