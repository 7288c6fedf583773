"""`python -m ops --stage STAGE COMMAND`: the questions people have, and the deeds they need."""

from ops.cli import main
from ops.commands import dead_letters, explain, poll, status

__all__ = ["dead_letters", "explain", "main", "poll", "status"]

if __name__ == "__main__":
    main(prog_name="python -m ops")
