"""Dates as BigCommerce writes them, and as it accepts them in a query."""

import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
RFC_2822 = re.compile(
    r"([A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} ([+-]\d{4}|GMT|UTC|UT)"
)


def rfc_2822(seconds: float) -> str:
    """`Mon, 06 May 2024 07:27:05 +0000`; strftime would take the names from the locale."""
    at = time.gmtime(seconds)
    return (
        f"{DAYS[at.tm_wday]}, {at.tm_mday:02d} {MONTHS[at.tm_mon - 1]} {at.tm_year}"
        f" {at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} +0000"
    )


def parse_date(text: str) -> int:
    """Epoch seconds of an RFC-2822 or ISO-8601 date, fractions cut off, UTC when it names no zone.

    Raises ValueError for anything else, such as a date whose `+` was not sent as `%2B`."""
    if RFC_2822.fullmatch(text):
        return int(parsedate_to_datetime(text).timestamp())
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
