"""The console's page of the sandbox: what shoppers and the merchant do, and what breaks."""

from flask import Blueprint, render_template, request
from werkzeug import Response

from ops.console.console import current
from sandbox.world import World

KINDS = ("physical", "digital", "mixed", "pickup")
"""Orders that a shopper can place from the page."""


def page(world: World) -> Blueprint:
    """The page of a world; its templates are in sandbox/templates."""
    made = Blueprint("Sandbox", __name__, url_prefix="/sandbox", template_folder="templates")

    @made.get("/")
    def index() -> str:
        return render_template("sandbox.html", kinds=KINDS)

    @made.post("/orders")
    def buy() -> Response:
        kind = request.form["kind"]
        order_id = world.store.place_order(kind=kind)
        return current().report("/sandbox/", f"A shopper bought order {order_id} ({kind}).")

    return made
