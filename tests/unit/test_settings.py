"""Which settings are valid, and which errors name the others."""

import re

import pytest
from pydantic import ValidationError

from chalicelib.settings import Settings, SettingsError
from tests.factories import SINCE, environment, policy

REQUIRED = [
    "ACCESS_TOKEN_PARAMETER",
    "BIGCOMMERCE_STORE_HASH",
    "ERRORS_TOPIC_ARN",
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
    assert (settings.physical_status_id, settings.digital_status_id) == (9, 8)
    assert settings.move_status is True
    assert settings.sweep_hours == 24
    assert settings.redacted_fields == ()
    assert settings.max_in_flight == 5
    assert settings.skip_coupons_without_discount is False
    assert settings.retention_days == 90
    assert settings.replicate_since == SINCE


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("NEW_STATUS_IDS", "11", (11,)),
        ("NEW_STATUS_IDS", " 1, 11 ,7,", (1, 11, 7)),
        ("REDACTED_FIELDS", "", ()),
        ("REDACTED_FIELDS", "ip_address, billing_address.email", None),
        ("BIGCOMMERCE_API_URL", "https://store.example.com/", "https://store.example.com"),
        ("BIGCOMMERCE_API_URL", "http://127.0.0.1:8101", "http://127.0.0.1:8101"),
        ("BIGCOMMERCE_API_URL", "http://localhost:8101", "http://localhost:8101"),
        ("CLIENT_SECRET_PARAMETER", "", ""),
        ("MOVE_STATUS", "false", False),
        ("MOVE_STATUS", "True", True),
        ("MAX_IN_FLIGHT", "20", 20),
        ("SKIP_COUPONS_WITHOUT_DISCOUNT", "true", True),
        ("SWEEP_HOURS", "1", 1),
        ("RETENTION_DAYS", "3650", 3650),
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


@pytest.mark.parametrize("name", [*REQUIRED, "BIGCOMMERCE_API_URL", "NEW_STATUS_IDS"])
def test_an_empty_setting_is_invalid(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: "):
        read(**{name: ""})


INVALID = [
    ("BIGCOMMERCE_API_URL", "http://api.bigcommerce.com"),
    ("BIGCOMMERCE_API_URL", "api.bigcommerce.com"),
    ("BIGCOMMERCE_API_URL", "https://["),
    ("BIGCOMMERCE_API_URL", "https://"),
    ("BIGCOMMERCE_API_URL", "ftp://localhost"),
    ("BIGCOMMERCE_API_URL", "http://127.0.0.1.example.com"),
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
    ("SWEEP_HOURS", "0"),
    ("SWEEP_HOURS", "721"),
    ("SWEEP_HOURS", "1.5"),
    ("MAX_IN_FLIGHT", "0"),
    ("MAX_IN_FLIGHT", "21"),
    ("RETENTION_DAYS", "-1"),
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
    ],
)
def test_a_status_that_orders_are_moved_to_cannot_be_new(targets: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"NEW_STATUS_IDS.*PHYSICAL_STATUS_ID"):
        read(**targets)

    assert read(**targets, MOVE_STATUS="false").move_status is False


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read().stage = "prod"


def test_the_policy_has_the_values_of_the_settings() -> None:
    settings = read(
        NEW_STATUS_IDS="11,7,10",
        PHYSICAL_STATUS_ID="9",
        DIGITAL_STATUS_ID="8",
        MOVE_STATUS="false",
        SKIP_COUPONS_WITHOUT_DISCOUNT="true",
    )

    assert settings.policy() == policy(move_status=False, skip_coupons_without_discount=True)
    assert [type(status) for status in settings.policy().new_statuses] == [int, int, int]
