"""Which settings are valid, and which errors name the others."""

import re

import pytest
from pydantic import ValidationError

from chalicelib.settings import Settings, SettingsError
from tests.factories import SINCE, environment, policy

REQUIRED = [
    "ACCESS_TOKEN_PARAMETER",
    "BIGCOMMERCE_STORE_HASH",
    "CHANGES_QUEUE_URL",
    "ERRORS_TOPIC_ARN",
    "EVENT_BUS_NAME",
    "JOBS_TABLE",
    "ORDERS_QUEUE_URL",
    "ORDERS_TABLE",
    "REPLICATE_SINCE",
    "STAGE",
    "WEBHOOKS_TABLE",
    "WEBHOOK_TOKEN_PARAMETER",
]


def read(**overrides: str) -> Settings:
    return Settings.from_environment(environment(**overrides))


def test_a_setting_that_is_not_given_has_its_default() -> None:
    settings = Settings.from_environment(environment(without=["CLIENT_SECRET_PARAMETER"]))

    assert settings.bigcommerce_api_url == "https://api.bigcommerce.com"
    assert settings.client_secret_parameter == ""
    assert settings.new_status_ids == (11, 7, 10)
    assert settings.ignored_status_ids == (0, 1)
    assert settings.channel_ids == ()
    assert settings.physical_status_id == 9
    assert (settings.pickup_status_id, settings.digital_status_id) == (8, 8)
    assert (settings.move_status, settings.move_unpaid) == (True, True)
    assert (settings.sweep_hours, settings.sweep_days) == (24, 7)
    assert settings.quota_reserved_for_new_orders == 0.4
    assert (settings.webhook_url, settings.order_changed_url) == ("", "")
    assert settings.redacted_fields == ()
    assert settings.max_in_flight == 5
    assert settings.embedded_reads is False
    assert settings.retention_days == 90
    assert settings.orders_retention_days == 0
    assert settings.replicate_since == SINCE


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("NEW_STATUS_IDS", "11", (11,)),
        ("NEW_STATUS_IDS", " 12, 11 ,7,", (12, 11, 7)),
        ("IGNORED_STATUS_IDS", "0, 6", (0, 6)),
        ("IGNORED_STATUS_IDS", "", ()),
        ("CHANNEL_IDS", "1, 1152", (1, 1152)),
        ("CHANNEL_IDS", "", ()),
        ("PICKUP_STATUS_ID", "12", 12),
        ("MOVE_UNPAID", "false", False),
        ("SWEEP_DAYS", "90", 90),
        ("QUOTA_RESERVED_FOR_NEW_ORDERS", "0", 0.0),
        ("QUOTA_RESERVED_FOR_NEW_ORDERS", "0.9", 0.9),
        ("MAX_RECEIVE_COUNT", "1000", 1000),
        ("REDACTED_FIELDS", "", ()),
        ("REDACTED_FIELDS", "ip_address, billing_address.email", None),
        ("BIGCOMMERCE_API_URL", "https://eu.bigcommerce.com/", "https://eu.bigcommerce.com"),
        ("BIGCOMMERCE_API_URL", "http://127.0.0.1:8101", "http://127.0.0.1:8101"),
        ("BIGCOMMERCE_API_URL", "http://localhost:8101", "http://localhost:8101"),
        ("CLIENT_SECRET_PARAMETER", "", ""),
        ("MOVE_STATUS", "false", False),
        ("MOVE_STATUS", "True", True),
        ("MAX_IN_FLIGHT", "20", 20),
        ("EMBEDDED_READS", "true", True),
        ("EVENT_CONTENT", "order", "order"),
        ("PUBLISH_FIRST_FILL", "true", True),
        ("SWEEP_HOURS", "1", 1),
        ("RETENTION_DAYS", "3650", 3650),
        ("ORDERS_RETENTION_DAYS", "0", 0),
        ("ORDERS_RETENTION_DAYS", "30", 30),
        ("ORDERS_RETENTION_DAYS", "7300", 7300),
    ],
)
def test_a_setting_is_read_from_its_text(name: str, value: str, expected: object) -> None:
    if expected is None:
        expected = ("ip_address", "billing_address.email")

    assert getattr(read(**{name: value}), name.lower()) == expected


def test_one_error_names_every_missing_setting() -> None:
    with pytest.raises(SettingsError) as failure:
        Settings.from_environment({"PATH": "/bin"})

    assert re.findall(r"(\w+): missing", str(failure.value)) == REQUIRED


def test_one_error_names_missing_and_invalid_settings() -> None:
    with pytest.raises(SettingsError) as failure:
        Settings.from_environment(
            environment(without=["STAGE"], MAX_IN_FLIGHT="0", SWEEP_HOURS="often")
        )

    assert re.findall(r"([A-Z_]+): ", str(failure.value)) == [
        "MAX_IN_FLIGHT",
        "STAGE",
        "SWEEP_HOURS",
    ]


@pytest.mark.parametrize(
    "name", [*REQUIRED, "PICKUP_STATUS_ID", "BIGCOMMERCE_API_URL", "NEW_STATUS_IDS"]
)
def test_an_empty_setting_is_invalid(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: "):
        read(**{name: ""})


INVALID = [
    ("EVENT_CONTENT", "orders"),
    ("PUBLISH_FIRST_FILL", "sometimes"),
    ("BIGCOMMERCE_API_URL", "http://api.bigcommerce.com"),
    ("BIGCOMMERCE_API_URL", "api.bigcommerce.com"),
    ("BIGCOMMERCE_API_URL", "https://["),
    ("BIGCOMMERCE_API_URL", "https://"),
    ("BIGCOMMERCE_API_URL", "ftp://localhost"),
    ("BIGCOMMERCE_API_URL", "http://127.0.0.1.example.com"),
    ("BIGCOMMERCE_API_URL", "https://example.com"),
    ("BIGCOMMERCE_API_URL", "https://bigcommerce.com.example.com"),
    ("BIGCOMMERCE_API_URL", "https://evilbigcommerce.com"),
    ("BIGCOMMERCE_API_URL", "https://user:password@api.bigcommerce.com"),
    ("BIGCOMMERCE_API_URL", "https://api.bigcommerce.com?x="),
    ("BIGCOMMERCE_API_URL", "https://api.bigcommerce.com#x"),
    ("REQUIRE_SIGNATURE", "perhaps"),
    ("BIGCOMMERCE_STORE_HASH", "stores/abc123"),
    ("BIGCOMMERCE_STORE_HASH", "abc123\n"),
    ("BIGCOMMERCE_STORE_HASH", "ABC123"),
    ("REPLICATE_SINCE", "yesterday"),
    ("REPLICATE_SINCE", "2024-13-01T00:00:00Z"),
    ("REPLICATE_SINCE", "2024-01-01T00:00:00"),
    ("REPLICATE_SINCE", "2024-01-01"),
    # Read as seconds, these would be in 1970, and the whole store new.
    ("REPLICATE_SINCE", "2024"),
    ("REPLICATE_SINCE", "20240101"),
    ("REPLICATE_SINCE", "-1.5"),
    ("NEW_STATUS_IDS", "99"),
    ("NEW_STATUS_IDS", "11,-1"),
    ("NEW_STATUS_IDS", "11;7"),
    ("NEW_STATUS_IDS", "Awaiting Payment"),
    ("NEW_STATUS_IDS", " , "),
    ("PHYSICAL_STATUS_ID", "15"),
    ("PHYSICAL_STATUS_ID", ""),
    ("DIGITAL_STATUS_ID", "9.5"),
    ("MOVE_STATUS", "perhaps"),
    ("MOVE_STATUS", ""),
    ("IGNORED_STATUS_IDS", "15"),
    ("CHANNEL_IDS", "0"),
    ("CHANNEL_IDS", "-1"),
    ("CHANNEL_IDS", "all"),
    ("PICKUP_STATUS_ID", "15"),
    ("MOVE_UNPAID", "perhaps"),
    ("SWEEP_DAYS", "0"),
    ("SWEEP_DAYS", "91"),
    ("QUOTA_RESERVED_FOR_NEW_ORDERS", "-0.1"),
    ("QUOTA_RESERVED_FOR_NEW_ORDERS", "0.91"),
    ("QUOTA_RESERVED_FOR_NEW_ORDERS", "nan"),
    ("QUOTA_RESERVED_FOR_NEW_ORDERS", "40%"),
    ("MAX_RECEIVE_COUNT", "0"),
    ("SWEEP_HOURS", "0"),
    ("SWEEP_HOURS", "721"),
    ("SWEEP_HOURS", "1.5"),
    ("MAX_IN_FLIGHT", "0"),
    ("MAX_IN_FLIGHT", "21"),
    ("RETENTION_DAYS", "-1"),
    ("ORDERS_RETENTION_DAYS", "-1"),
    ("ORDERS_RETENTION_DAYS", "7301"),
    ("ORDERS_RETENTION_DAYS", "30.5"),
    # A path that names nothing would redact nothing.
    ("REDACTED_FIELDS", "billing_address."),
    ("REDACTED_FIELDS", "products..name"),
    ("REDACTED_FIELDS", ".ip_address"),
    ("REDACTED_FIELDS", "id"),
    ("REDACTED_FIELDS", "ip_address, date_modified"),
    ("REDACTED_FIELDS", "status_id"),
    ("REDACTED_FIELDS", "date_created"),
]


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_an_invalid_value_is_an_error_with_the_name_of_its_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"\b{name}: "):
        read(**{name: value})


@pytest.mark.parametrize(
    "targets",
    [
        {"NEW_STATUS_IDS": "9,11"},
        {"NEW_STATUS_IDS": "8,11"},
        {"PHYSICAL_STATUS_ID": "11"},
        {"DIGITAL_STATUS_ID": "10"},
        {"PICKUP_STATUS_ID": "7"},
    ],
)
def test_a_status_that_orders_are_moved_to_cannot_be_new(targets: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"NEW_STATUS_IDS.*PHYSICAL_STATUS_ID"):
        read(**targets)

    assert read(**targets, MOVE_STATUS="false").move_status is False


@pytest.mark.parametrize(
    "statuses",
    [{"IGNORED_STATUS_IDS": "0,7"}, {"NEW_STATUS_IDS": "1,11"}, {"IGNORED_STATUS_IDS": "11"}],
)
@pytest.mark.parametrize("move_status", ["true", "false"])
def test_an_ignored_status_cannot_be_new(statuses: dict[str, str], move_status: str) -> None:
    with pytest.raises(SettingsError, match=r"IGNORED_STATUS_IDS and NEW_STATUS_IDS"):
        read(**statuses, MOVE_STATUS=move_status)


@pytest.mark.parametrize(
    ("days", "sweep_days"), [("1", "7"), ("29", "7"), ("60", "60"), ("30", "90")]
)
def test_orders_are_kept_for_longer_than_sweeps_compare_them(days: str, sweep_days: str) -> None:
    with pytest.raises(SettingsError, match=r"ORDERS_RETENTION_DAYS must .* SWEEP_DAYS"):
        read(ORDERS_RETENTION_DAYS=days, SWEEP_DAYS=sweep_days)


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read().stage = "prod"


def test_the_policy_has_the_values_of_the_settings() -> None:
    settings = read(
        NEW_STATUS_IDS="11,7",
        IGNORED_STATUS_IDS="0,1,6",
        CHANNEL_IDS="1,2",
        PHYSICAL_STATUS_ID="2",
        PICKUP_STATUS_ID="12",
        DIGITAL_STATUS_ID="10",
        MOVE_STATUS="false",
        MOVE_UNPAID="false",
        EMBEDDED_READS="true",
        REDACTED_FIELDS="ip_address",
        ORDERS_RETENTION_DAYS="365",
    )

    assert settings.policy() == policy(
        new_statuses=(11, 7),
        ignored_statuses=(0, 1, 6),
        channels=(1, 2),
        physical_status=2,
        pickup_status=12,
        digital_status=10,
        move_status=False,
        move_unpaid=False,
        embedded_reads=True,
        redacted_fields=("ip_address",),
        retention_days=365,
    )
    for statuses in (settings.policy().new_statuses, settings.policy().ignored_statuses):
        assert {type(status) for status in statuses} == {int}
