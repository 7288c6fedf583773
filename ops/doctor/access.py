"""Checks the AWS credentials and this machine's clock, which every other check needs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.clock import Clock
from ops.deployment import client
from ops.doctor.finding import Finding, fault, note, ok
from ops.remedies import SET_CLOCK, connect, describe_error, is_unreachable, log_in
from ops.wording import duration

MAX_DIFFERENCE = timedelta(seconds=60)
"""AWS accepts signatures within five minutes; the leases of polls compare clocks as well."""


def access(stage: str, clock: Clock) -> list[Finding]:
    """The credentials, then the clock, which is checked by the date of AWS's response."""
    try:
        sts = client("sts")
        answer = sts.get_caller_identity()
    except ClientError as error:
        metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
        rejected = fault("credentials", describe_error(stage, error), log_in(stage))
        return [rejected, *clock_findings(metadata, clock.now())]
    except BotoCoreError as error:
        if is_unreachable(error):
            return [fault("connection", describe_error(stage, error), connect(stage))]
        return [fault("credentials", describe_error(stage, error), log_in(stage))]
    identity = f"account {answer['Account']}, {sts.meta.region_name}, {answer['Arn']}"
    return [ok("credentials", identity), *clock_findings(answer["ResponseMetadata"], clock.now())]


def clock_findings(metadata: Mapping[str, Any], now: datetime) -> list[Finding]:
    """Compares this machine's time with the date of a response of AWS."""
    date = metadata.get("HTTPHeaders", {}).get("date")
    if date is None:
        return [note("clock", "not checked: the response of AWS has no date")]
    # The header has whole seconds.
    difference = now.replace(microsecond=0) - parsedate_to_datetime(date)
    seconds = abs(difference.total_seconds())
    if seconds > MAX_DIFFERENCE.total_seconds():
        direction = "ahead of" if difference > timedelta(0) else "behind"
        return [fault("clock", f"{duration(seconds)} {direction} AWS", SET_CLOCK)]
    return [ok("clock", f"differs from AWS by {seconds:.0f} s")]
