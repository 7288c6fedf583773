"""The connection of an HTTPS destination, which has the secret that authorizes its requests.

Terraform creates it with a placeholder, since the provider would store a secret in its state. When
the secret was set is written into the description, which Terraform does not change.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.clock import Clock
from chalicelib.edges.aws import calling
from ops.deployment import client
from ops.destinations.destination import Destination

SET = "Secret set "
"""In the description, before the time."""

AUTHORIZED = "AUTHORIZED"
UNDER_WAY = ("CREATING", "UPDATING", "AUTHORIZING")
"""States that end by themselves
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeConnection.html)."""

WAIT = 2.0
LONGEST_WAIT = 60.0
"""Seconds between two reads of the state, and in all. With OAuth, EventBridge requests a token."""


@dataclass(frozen=True)
class Connection:
    """A connection as AWS describes it, which never contains the secret."""

    name: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, destination: Destination) -> "Connection":
        """The connection of an HTTPS destination; it has the name of the rule. Raises AwsError."""
        with calling(f"DescribeConnection {destination.rule}"):
            facts = client("events").describe_connection(Name=destination.rule)
        return cls(destination.rule, facts)

    @property
    def state(self) -> str:
        return str(self.facts["ConnectionState"])

    @property
    def reason(self) -> str:
        """Why the connection is in its state, if AWS reports it."""
        return str(self.facts.get("StateReason") or "no reason given")

    @property
    def has_secret(self) -> bool:
        """Whether its secret was set, so that it is not the placeholder any more."""
        return SET in (self.facts.get("Description") or "")

    @property
    def secret_name(self) -> str:
        """What to ask for."""
        parameters = self.facts["AuthParameters"]
        match self.facts["AuthorizationType"]:
            case "API_KEY":
                return f"Value of the header {parameters['ApiKeyAuthParameters']['ApiKeyName']}"
            case "BASIC":
                return f"Password of {parameters['BasicAuthParameters']['Username']}"
        client_id = parameters["OAuthParameters"]["ClientParameters"]["ClientID"]
        return f"Client secret of {client_id}"

    def set_secret(self, secret: str, now: datetime) -> None:
        """Replace the secret; the other parameters of its authorization stay. Raises AwsError."""
        description = (self.facts.get("Description") or "").split(SET)[0].strip()
        with calling(f"UpdateConnection {self.name}"):
            client("events").update_connection(
                Name=self.name,
                Description=f"{description} {SET}{now:%Y-%m-%d %H:%M} UTC.".strip(),
                AuthorizationType=self.facts["AuthorizationType"],
                AuthParameters=self._parameters(secret),
            )

    def _parameters(self, secret: str) -> dict[str, Any]:
        """The parameters by which AWS authorizes, with the secret."""
        described = self.facts["AuthParameters"]
        match self.facts["AuthorizationType"]:
            case "API_KEY":
                name = described["ApiKeyAuthParameters"]["ApiKeyName"]
                return {"ApiKeyAuthParameters": {"ApiKeyName": name, "ApiKeyValue": secret}}
            case "BASIC":
                user = described["BasicAuthParameters"]["Username"]
                return {"BasicAuthParameters": {"Username": user, "Password": secret}}
        oauth = described["OAuthParameters"]
        identity = {"ClientID": oauth["ClientParameters"]["ClientID"], "ClientSecret": secret}
        return {"OAuthParameters": {**oauth, "ClientParameters": identity}}


def settled(destination: Destination, clock: Clock) -> Connection:
    """The connection when its state is final, or after a minute. Raises AwsError."""
    ends_at = clock.time() + LONGEST_WAIT
    connection = Connection.of(destination)
    while connection.state in UNDER_WAY and clock.time() < ends_at:
        clock.sleep(WAIT)
        connection = Connection.of(destination)
    return connection
