"""Sends events to an HTTP endpoint, as an HTTPS destination does."""

import requests

from chalicelib.domain.models import JsonObject

TIMEOUT = 5.0
"""Seconds in which an endpoint has to answer EventBridge
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html)."""


def forward(event: JsonObject, url: str) -> tuple[bool, str]:
    """Whether the endpoint has taken the event, and its answer in a few words.

    Redirects are not followed. The text has no URL, which may contain a secret.
    """
    session = requests.Session()
    # Neither a proxy nor a password of this machine's settings: events can contain orders.
    session.trust_env = False
    try:
        answer = session.post(url, json=event, timeout=TIMEOUT, allow_redirects=False)
    except requests.Timeout:
        return False, f"no answer within {TIMEOUT:.0f} s"
    except requests.RequestException as error:
        return False, f"no connection ({type(error).__name__})"
    return 200 <= answer.status_code < 300, f"{answer.status_code} {answer.reason}".strip()
