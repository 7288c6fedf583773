"""Checks what a deployment uses and Terraform does not create: store, key, concurrency, runtime.

They are made once everything else is ready. What cannot be checked is a note and not a problem: a
deployment must be possible while the store is down, and with permissions for Terraform only.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.clock import SystemClock
from chalicelib.domain.callbacks import CART_CONVERTED, CHANGE_SCOPES
from chalicelib.edges.bigcommerce import BigCommerce, NotFound, StoreError, Unauthorized
from chalicelib.edges.bigcommerce_hooks import Hooks
from chalicelib.edges.pacing import OutOfTime, Pacer
from chalicelib.edges.ssm import Secret
from chalicelib.settings import store_url
from ops.deploy.layer import RUNTIME, SUPPORTED_UNTIL
from ops.deploy.readiness import ACCESS_TOKEN, Account, Note, Problem
from ops.deployment import client
from ops.doctor.concurrency import concurrency_finding
from ops.remedies import run
from ops.stages import Stage
from ops.webhook.registration import carries_a_token

Check: TypeAlias = Iterator[Problem | Note]

FOLLOWERS = 2
"""Concurrent executions of follow_orders, see terraform/chalice_override.tf."""

HALF_A_YEAR = timedelta(days=183)

TIMEOUT = 20.0
"""Seconds for all requests to the store."""


def surroundings(stage: Stage, account: Account) -> Check:
    """All checks. Raises InvalidFile."""
    yield from runtime(SystemClock().now().date())
    yield from key(stage, account)
    yield from concurrency(stage, account)
    yield from store(stage, account)


def runtime(today: date) -> Check:
    """Lambda supports the runtime of functions and layer for another half-year."""
    if today > SUPPORTED_UNTIL - HALF_A_YEAR:
        text = (
            f"{RUNTIME} is deprecated on {SUPPORTED_UNTIL}: set a newer one in ops/deploy/layer.py"
        )
        yield Note("runtime", text)


def key(stage: Stage, account: Account) -> Check:
    """The customer-managed key exists, is enabled, and encrypts; with its ARN in kms_key_arn.

    AWS services use symmetric keys only
    (https://docs.aws.amazon.com/kms/latest/developerguide/service-integration.html).
    """
    arn = stage.value("kms_key_arn")
    if not arn:
        return
    kms = client("kms", region=account.region)
    try:
        found = kms.describe_key(KeyId=arn)["KeyMetadata"]
    except (BotoCoreError, ClientError) as error:
        if _code(error) != "NotFoundException":
            yield Note("kms_key_arn", f"not checked: {error}")
            return
        fix = f"correct kms_key_arn in terraform/stages/{stage.file.name}, or create the key"
        yield Problem("kms_key_arn", f"{arn} does not exist", fix)
        return
    if found["KeySpec"] != "SYMMETRIC_DEFAULT":
        fix = "use a symmetric key for encryption: AWS services accept no other"
        yield Problem("kms_key_arn", f"{arn} is a key of another kind", fix)
    elif found["KeyState"] != "Enabled":
        fix = f"aws kms enable-key --key-id {arn}; first cancel-key-deletion if it is scheduled"
        yield Problem("kms_key_arn", f"{arn} has the state {found['KeyState']}", fix)
    else:
        yield _key_policy(kms, arn, account) or _data_key(kms, arn)


def _key_policy(kms: Any, arn: str, account: Account) -> Problem | None:
    """Whether the key policy has the services that use the key with no role's permission.

    Alarms would otherwise not be sent, which nobody notices. None as well if the policy cannot be
    read, because the permission for that is rarely given.
    """
    try:
        policy = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    except (BotoCoreError, ClientError):
        return None
    allowed = [
        principal
        for statement in _list(policy["Statement"])
        if statement["Effect"] == "Allow"
        for principal in _principals(statement.get("Principal", {}))
    ]
    missing = [
        service
        for service in (
            *("cloudwatch.amazonaws.com", "events.amazonaws.com"),
            f"logs.{account.region}.amazonaws.com",
        )
        if not {service, "*"}.intersection(allowed)
    ]
    if not missing:
        return None
    fix = "add the statements of docs/deploying.md, Secrets, to the key policy"
    return Problem("kms_key_arn", f"the key policy does not name {' and '.join(missing)}", fix)


def _principals(principal: Any) -> list[str]:
    """The services that a statement names; `*` for everybody."""
    return [principal] if isinstance(principal, str) else _list(principal.get("Service", []))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _data_key(kms: Any, arn: str) -> Note:
    """Whether the credentials may use the key, by a request that creates nothing.

    KMS answers a dry run that would succeed with DryRunOperationException
    (https://docs.aws.amazon.com/kms/latest/developerguide/testing-permissions.html). A refusal is
    no problem: the credentials may be restricted to uses through other services (kms:ViaService).
    """
    try:
        kms.generate_data_key(KeyId=arn, KeySpec="AES_256", DryRun=True)
    except (BotoCoreError, ClientError) as error:
        if _code(error) != "DryRunOperationException":
            text = f"enabled; its use not checked ({error}): the key policy must allow it"
            return Note("kms_key_arn", text)
    return Note("kms_key_arn", "enabled, and these credentials can use it")


def concurrency(stage: Stage, account: Account) -> Check:
    """The functions fit into the account's concurrency, as doctor checks it."""
    try:
        limit = client("lambda", region=account.region).get_account_settings()["AccountLimit"]
    except (BotoCoreError, ClientError) as error:
        yield Note("concurrency", f"not checked: {error}")
        return
    found = concurrency_finding(
        stage.name,
        consumers=int(stage.effective("consumer_concurrency")) + FOLLOWERS,
        limit=limit["ConcurrentExecutions"],
        unreserved=limit["UnreservedConcurrentExecutions"],
    )
    yield Note(
        "concurrency", f"{found.found}; to raise it: {found.fix}" if found.fix else found.found
    )


def store(stage: Stage, account: Account) -> Check:
    """The access token of the environment reads the store's orders and webhooks.

    No endpoint returns the scopes of a token, and only a request that changes something shows
    whether it may. doctor sends such a request, which changes no order; a deployment does not.
    """
    try:
        store_url(stage.effective("bigcommerce_api_url"))
    except ValueError as error:
        fix = f"correct bigcommerce_api_url in terraform/stages/{stage.file.name}"
        yield Problem("bigcommerce_api_url", str(error), fix)
        return
    connected = _connect(stage, account)
    try:
        connected.counts()
        hooks = Hooks.of(connected).all()
    except Unauthorized as error:
        fix = (
            "create an API account with the scope Orders: modify in the store's control panel, and "
            f"export its access token as {ACCESS_TOKEN}"
        )
        yield Problem(ACCESS_TOKEN, f"rejected by the store ({error})", fix)
        return
    except NotFound as error:
        fix = f"correct bigcommerce_store_hash in terraform/stages/{stage.file.name}"
        yield Problem("bigcommerce_store_hash", f"the store does not exist ({error})", fix)
        return
    except (StoreError, OutOfTime) as error:
        yield Note("store", f"not checked: {error}")
        return
    yield Note(
        "access token",
        "it can read orders. Whether it can change them cannot be read; doctor checks it after the "
        "deployment",
    )
    registered = {hook.scope for hook in hooks if hook.is_active and carries_a_token(hook)}
    missing = [scope for scope in (CART_CONVERTED, *CHANGE_SCOPES) if scope not in registered]
    if missing:
        register = run(stage.name, "webhook register")
        yield Note(
            "webhooks", f"not registered: {', '.join(missing)}. After the deployment: {register}"
        )
    else:
        text = "registered for every scope; doctor compares their URLs and token"
        yield Note("webhooks", text)


def _connect(stage: Stage, account: Account) -> BigCommerce:
    """The store of the stage, with the access token of the environment and without retries."""
    clock = SystemClock()
    token = Secret(
        client("ssm", region=account.region),
        parameter=ACCESS_TOKEN,
        clock=clock,
        _value=os.environ[ACCESS_TOKEN].strip(),
        _read_at=clock.time(),
    )
    connected = BigCommerce.connect(
        stage.effective("bigcommerce_api_url"),
        stage.value("bigcommerce_store_hash"),
        token,
        Pacer(clock, max_in_flight=1),
    )
    once = replace(connected, retry=connected.retry.new(total=0))
    return once.within(clock.time() + TIMEOUT)


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""
