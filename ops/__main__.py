"""The operator's command line: `python -m ops --stage STAGE COMMAND`."""

import logging

from ops.audit import command as audit
from ops.backfill import command as backfill
from ops.cli import main
from ops.console import command as console
from ops.dead_letters import command as dead_letters
from ops.destinations import command as destinations
from ops.doctor import command as doctor
from ops.embedded_reads import command as embedded_reads
from ops.events import command as events
from ops.expire import command as expire
from ops.explain import command as explain
from ops.facts import command as facts
from ops.fields import command as fields
from ops.forget import command as forget
from ops.history import command as history
from ops.pause import command as pause
from ops.poll import command as poll
from ops.rehearse import command as rehearse
from ops.remedies import PROGRAM
from ops.replay import command as replay
from ops.retry import command as retry
from ops.status import command as status
from ops.tail import command as tail
from ops.undelivered import command as undelivered
from ops.webhook import command as webhook

__all__ = [
    "audit",
    "backfill",
    "console",
    "dead_letters",
    "destinations",
    "doctor",
    "embedded_reads",
    "events",
    "expire",
    "explain",
    "facts",
    "fields",
    "forget",
    "history",
    "main",
    "pause",
    "poll",
    "rehearse",
    "replay",
    "retry",
    "status",
    "tail",
    "undelivered",
    "webhook",
]

if __name__ == "__main__":
    # The service's log lines are for CloudWatch; without a handler they would go to stderr.
    logging.getLogger("chalicelib").addHandler(logging.NullHandler())
    main(prog_name=PROGRAM)
