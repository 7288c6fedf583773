"""Who asks AWS, and whether this machine's clock is right: all else depends on both."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.clock import Clock
from ops.cli import explained
from ops.deployment import client
from ops.doctor.finding import Finding, fault, note, ok
from ops.wording import span

MAY_DIFFER = timedelta(seconds=60)
"""Signatures hold for five minutes either way, and leases go by clocks, too."""

LOG_IN = "aws sso login"
SET_CLOCK = "sudo timedatectl set-ntp true"


def access(clock: Clock) -> list[Finding]:
    """The credentials first, then the clock: AWS dates its refusals, too."""
    try:
        sts = client("sts")
        answer = sts.get_caller_identity()
    except ClientError as error:
        metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
        refused = fault("credentials", explained(error), LOG_IN)
        return [refused, *clock_findings(metadata, clock.now())]
    except BotoCoreError as error:
        return [fault("credentials", explained(error), LOG_IN)]
    who = f"account {answer['Account']}, {sts.meta.region_name}, as {answer['Arn']}"
    return [ok("credentials", who), *clock_findings(answer["ResponseMetadata"], clock.now())]


def clock_findings(metadata: Mapping[str, Any], now: datetime) -> list[Finding]:
    """This machine's time against the date of an answer of AWS's."""
    date = metadata.get("HTTPHeaders", {}).get("date")
    if date is None:
        return [note("clock", "AWS did not date its answer, so nothing can be said")]
    # The header has whole seconds.
    off = now.replace(microsecond=0) - parsedate_to_datetime(date)
    if abs(off) > MAY_DIFFER:
        which = "ahead of" if off > timedelta(0) else "behind"
        return [fault("clock", f"{span(abs(off.total_seconds()))} {which} AWS's", SET_CLOCK)]
    return [ok("clock", f"{abs(off.total_seconds()):.0f} s off AWS's")]
