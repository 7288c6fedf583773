"""What an error of the store means for a rehearsal, and what to do about it."""

import re

from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import (
    Blocked,
    MalformedResponse,
    NotFound,
    StoreError,
    Unauthorized,
)
from chalicelib.edges.pacing import OutOfTime

CONTROL_PANEL = "Settings > API > Store-level API accounts"
STATUS_PAGE = "https://status.bigcommerce.com"


def describe(error: StoreError | OutOfTime | AwsError, store_hash: str) -> str:
    """One or two sentences, without anything that the store sent."""
    if isinstance(error, AwsError):
        return f"AWS returned an error ({error}): try again in a minute"
    status = _status(error)
    if isinstance(error, Unauthorized) and status == "403":
        return (
            f"the access token may not read orders ({error}): its API account needs the scope "
            f"Orders, at least read-only ({CONTROL_PANEL} in the store's control panel)"
        )
    if isinstance(error, Unauthorized):
        return (
            f"the store rejects the access token ({error}): check that it was copied as a whole, "
            f"and that its API account belongs to the store {store_hash} and was not deleted"
        )
    if isinstance(error, Blocked):
        return f"a firewall in front of the store's API rejects requests from here ({error})"
    if isinstance(error, MalformedResponse | NotFound) and status == "404":
        return (
            f"there is no store {store_hash} ({error}): the store hash is the part after /stores/ "
            "in the API path that was shown with the access token"
        )
    if status == "429":
        return (
            f"the store's quota is used up by its other apps ({error}): try again later, at a time "
            "when they do less"
        )
    return f"the store does not respond as it should ({error}): {STATUS_PAGE} shows its state"


def _status(error: Exception) -> str:
    """The HTTP status in the text of an error, which has the form `GET orders/118 -> 429`."""
    found = re.search(r"-> (\d{3})\b", str(error))
    return found[1] if found else ""
