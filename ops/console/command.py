"""Opens the console of a stage in the browser."""

import signal

import click

from ops.cli import Operator, command, main
from ops.remedies import LOCAL

PORT = 8100


@command(main, "console --allow-writes")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--allow-writes", is_flag=True, help="Let the pages change something, with a reason.")
def console(operator: Operator, port: int, allow_writes: bool) -> None:
    """Show the stage in the browser until Ctrl-C: its flow, orders, failures and history.

    The pages are served on this machine only, with the AWS credentials of your shell, and to the
    browser that opens the printed link. They change nothing without --allow-writes, except in the
    sandbox; each change is recorded as those of the commands are.
    """
    # Imported here: Flask takes a third of a second to load, which the other commands save.
    from ops.console.console import Console
    from ops.console.server import link, listen

    pages = Console(operator.stage, operator.clock, allow_writes or operator.stage == LOCAL)
    server = listen(pages, port)
    operator.print_json({"url": link(pages, server)})
    operator.print(f"The console of {operator.stage}: {link(pages, server)}\nCtrl-C ends it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        operator.print("Stopped.")
    finally:
        server.server_close()
