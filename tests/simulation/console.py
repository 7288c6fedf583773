"""`make simulate SEED=... CONSOLE=1`: a history in the browser, call by call."""

import os
import signal

import click
from flask import Blueprint, abort, render_template, request

from ops.console.console import Console
from ops.console.server import link, listen
from sandbox.gate import PASSES
from sandbox.stack import CREDENTIALS, Aws, Stack
from tests.simulation.recording import Recording, record
from tests.simulation.world import STAGE

EVENTS = 12
"""What happened before a call: so many of the last things are shown."""


def page(recording: Recording) -> Blueprint:
    """The page of a recorded history; the call is part of its address."""
    made = Blueprint("Simulation", __name__, url_prefix="/simulation", template_folder="templates")
    moments, outcomes = recording.moments, recording.outcomes

    @made.get("/")
    def index() -> str:
        number = request.args.get("call", 1, int)
        if not 1 <= number <= len(moments):
            abort(404, f"The history has the calls 1 to {len(moments)}.")
        moment = moments[number - 1]
        return render_template(
            "simulation.html",
            history=recording.history,
            moment=moment,
            number=number,
            last=len(moments),
            before=moments[number - 2].rows if number > 1 else (),
            outcome=outcomes[number - 1],
            passes=PASSES,
            events=recording.events_until(number)[-EVENTS:],
            lines=recording.lines_of(number),
            next_invocation=recording.next_invocation(number),
        )

    return made


@click.command()
@click.argument("seed", type=click.IntRange(0))
@click.option("--port", default=8100, type=click.IntRange(0, 65535))
def main(seed: int, port: int) -> None:
    """Run the history of a seed, and show it in the browser until Ctrl-C."""
    os.environ |= {**CREDENTIALS, "AWS_EC2_METADATA_DISABLED": "true"}
    click.echo(f"Recording the history of seed {seed} ...")
    with Aws() as aws:
        Stack(aws, STAGE).create()
        recording = record(aws, seed)
    console = Console(STAGE)
    server = listen(console, port, [page(recording)], own=())
    click.echo(f"The history: {link(console, server)}\nCtrl-C ends it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
