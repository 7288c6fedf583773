"""Serves a console on this machine."""

import logging
import socket
from collections.abc import Iterable

import click
from flask import Blueprint
from werkzeug.serving import BaseWSGIServer, make_server

from ops.console.app import PAGES, create_app
from ops.console.console import Console


def listen(
    console: Console,
    port: int,
    more: Iterable[Blueprint] = (),
    own: Iterable[Blueprint] = PAGES,
) -> BaseWSGIServer:
    """A server of the console that accepts connections; its caller serves and closes it.

    `more` are pages that follow its `own`. Raises ClickException when the port is in use.
    """
    # Its lines would hold the links with the token.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise click.ClickException(
                f"port {port} is in use; choose another with --port {(port + 1000) % 65536}"
            ) from None
    return make_server("127.0.0.1", port, create_app(console, more, own), threaded=True)


def link(console: Console, server: BaseWSGIServer) -> str:
    """The link that lets a browser in."""
    return f"http://127.0.0.1:{server.server_port}/?token={console.guard.token}"
