"""`python -m ops --stage STAGE COMMAND`: the questions people have, and the deeds they need."""

import logging

from ops.cli import main
from ops.commands import (
    audit,
    backfill,
    dead_letters,
    doctor,
    explain,
    forget,
    poll,
    status,
    webhook,
)

__all__ = [
    "audit",
    "backfill",
    "dead_letters",
    "doctor",
    "explain",
    "forget",
    "main",
    "poll",
    "status",
    "webhook",
]

if __name__ == "__main__":
    # What the service logs is for CloudWatch; to people the commands speak for themselves.
    logging.getLogger("chalicelib").addHandler(logging.NullHandler())
    main(prog_name="python -m ops")
