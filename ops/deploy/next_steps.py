"""The steps that remain after a command, with the commands to run."""

from ops.stages import Stage


def after_deploy(stage: Stage, webhook_url: str, order_changed_url: str) -> str:
    """The steps after a deployment. The commands read the secrets from the deployed stage."""
    operate = f".venv/bin/python -m ops --stage {stage.name}"
    return f"""
Deployed {stage.name}. Webhook URLs:

  {webhook_url}
  {order_changed_url}

{_moves(stage)}

After the first deployment:

1. Confirm both subscriptions in the e-mails that AWS sent to {stage.value("alert_email")}.
   Alerts are delivered only after that.

2. Register the webhooks in the store. Repeating this is safe:

   {operate} webhook register

3. Run a poll, then check the stage. The alarm polls-missing is in ALARM state until a few
   minutes after the first poll:

   {operate} poll
   {operate} doctor

4. Place an order in the store, and look it up in the table order-replication-{stage.name}-orders.

To change a secret later, export its new value, increase secrets_version in
terraform/stages/{stage.file.name}, and deploy again."""


def _moves(stage: Stage) -> str:
    """What the service writes to the store; both variables are true by default."""
    if stage.value("move_status") == "false":
        return "It stores orders and changes nothing in the store: move_status is false."
    if stage.value("move_unpaid") == "false":
        return """\
From its first poll on, it changes the status of new orders in the store. Orders in Awaiting
Payment (7) are moved when they are paid."""
    return f"""\
From its first poll on, it changes the status of new orders in the store, including orders in
Awaiting Payment (7). BigCommerce treats Awaiting Shipment (9) as paid: taxes are filed and
products can be shipped. To move such orders when they are paid, set move_unpaid = false in
terraform/stages/{stage.file.name}, and deploy again before the first poll."""


def after_bootstrap(bucket: str, stage: str) -> str:
    """The steps after the state bucket was created."""
    name = stage or "<stage>"
    return f"""
State bucket for all stages in this account and region: {bucket}

Next steps:

1. Set bigcommerce_store_hash, alert_email and replicate_since in
   terraform/stages/{name}.tfvars.

2. Export TF_VAR_bigcommerce_access_token and TF_VAR_webhook_token. To generate the
   webhook token, run openssl rand -hex 32.

3. Deploy the stage:

   make deploy STAGE={name}"""
