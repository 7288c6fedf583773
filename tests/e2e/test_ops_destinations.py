"""The destinations commands: receivers are listed, and the secret of an endpoint is set."""

import json
from typing import Any

import pytest
from moto.backends import get_backend

from sandbox.bus import Answer
from sandbox.stack import ACCOUNT, REGION
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import come_to_rest

SECRET = "hidden-s3cret"
CRM = "https://crm.example.com/orders"

API_KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "not-authorized-yet"}}
BASIC = {"BasicAuthParameters": {"Username": "shop", "Password": "not-authorized-yet"}}
OAUTH = {
    "OAuthParameters": {
        "AuthorizationEndpoint": "https://crm.example.com/token",
        "HttpMethod": "POST",
        "ClientParameters": {"ClientID": "shop", "ClientSecret": "not-authorized-yet"},
        "OAuthHttpParameters": {
            "BodyParameters": [{"Key": "scope", "Value": "orders", "IsValueSecret": False}]
        },
    }
}


@pytest.fixture
def world(new_world) -> World:
    made: World = new_world()
    made.stack.add_destination("erp", pattern={"detail-type": ["order.created"]})
    made.stack.add_destination("crm", url=CRM)
    made.bus.receivers[CRM] = lambda event: Answer(401)
    connect(made, "API_KEY", API_KEY)
    return made


def connect(world: World, kind: str, parameters: Any) -> None:
    """Make the connection of crm a new one, as Terraform makes it."""
    world.stack.aws.client("events").update_connection(
        Name=world.stack.name("to-crm"),
        Description="Authorizes requests to the destination crm.",
        AuthorizationType=kind,
        AuthParameters=parameters,
    )


def connection(world: World) -> dict[str, Any]:
    facts: dict[str, Any] = world.stack.aws.client("events").describe_connection(
        Name=world.stack.name("to-crm")
    )
    return facts


def backend(world: World) -> Any:
    """The connection as moto keeps it. AWS returns it without its secret, as boto3 does."""
    return get_backend("events")[ACCOUNT][REGION].connections[world.stack.name("to-crm")]


def test_the_destinations_are_listed_with_their_state(ops, world):
    world.store.place_order(status=Status.SHIPPED)
    come_to_rest(world)
    world.publish()
    world.deliver_events()

    crm, erp = ops.json("destinations", "list")

    assert (crm["name"], crm["kind"], crm["state"]) == ("crm", "https", "without a secret")
    assert (erp["name"], erp["kind"], erp["state"]) == ("erp", "sqs", "enabled")
    assert (crm["undelivered"] > 0, erp["undelivered"]) == (True, 0)
    assert erp["pattern"]["detail-type"] == ["order.created"]
    assert "without a secret" in ops("destinations", "list").stdout


def test_a_stage_without_destinations_says_so(new_world):
    assert "no destinations" in Ops(new_world())("destinations", "list").stdout


@pytest.mark.parametrize(
    ("kind", "parameters", "asked"),
    [
        ("API_KEY", API_KEY, "Value of the header X-Key"),
        ("BASIC", BASIC, "Password of shop"),
        ("OAUTH_CLIENT_CREDENTIALS", OAUTH, "Client secret of shop"),
    ],
)
def test_the_secret_is_set_and_everything_else_stays(world, kind, parameters, asked):
    connect(world, kind, parameters)
    before = connection(world)

    result = Ops(world)("destinations", "authorize", "crm", "--yes", answer=f"{SECRET}\n")

    assert result.exit_code == 0, result.output
    after = connection(world)
    stored = backend(world).auth_parameters
    assert asked in result.output
    assert SECRET not in result.output
    assert after["AuthParameters"] == before["AuthParameters"]
    assert stored == json.loads(json.dumps(parameters).replace("not-authorized-yet", SECRET))
    assert after["AuthorizationType"] == kind
    assert after["Description"].startswith(f"{before['Description']} Secret set 20")
    (change,) = Ops(world).json("history")["actions"]
    assert change["what"] == "set the secret of the destination crm"


def test_a_secret_is_set_again(world):
    for secret in ("first", "second"):
        Ops(world)("destinations", "authorize", "crm", "--yes", answer=f"{secret}\n")

    stored = backend(world).auth_parameters
    assert stored["ApiKeyAuthParameters"]["ApiKeyValue"] == "second"
    assert connection(world)["Description"].count("Secret set") == 1


def test_the_events_that_were_rejected_before_are_pointed_out(world):
    world.store.place_order(status=Status.SHIPPED)
    come_to_rest(world)
    world.publish()
    world.deliver_events()

    result = Ops(world)("destinations", "authorize", "crm", "--yes", answer="secret\n")

    assert "1 event could not be delivered before" in result.output
    assert "events redrive --destination crm --all" in result.output


def test_a_destination_that_is_no_endpoint_or_is_unknown_is_refused(ops):
    assert "needs no secret" in ops("destinations", "authorize", "erp").output
    unknown = ops("destinations", "authorize", "oms")
    assert "no destination oms; its destinations: crm, erp" in unknown.output
    assert unknown.exit_code == 1


def test_events_are_replayed_for_known_destinations_only(ops, world):
    result = ops("events", "replay", "118", "--destination", "oms")

    assert result.exit_code == 1
    assert "no destination oms" in result.output
