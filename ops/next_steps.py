"""What remains to be done by hand, with the lines to paste."""

from ops.stages import Stage


def after_deploy(stage: Stage, webhook_url: str) -> str:
    """The webhook's URL and the steps that AWS and the store leave to people.

    Secrets are named, never shown: the lines read them from the environment.
    """
    hooks = f"https://api.bigcommerce.com/stores/{stage.value('bigcommerce_store_hash')}/v3/hooks"
    return f"""
{stage.name} is deployed. Its webhook: {webhook_url}

What is left to do, the first time:

1. Confirm the two e-mails that AWS has sent to {stage.value("alert_email")}:
   until then no alert arrives.

2. Register the webhook, in a shell with the two secrets of this stage:

   curl --fail-with-body -X POST {hooks} \\
     -H "X-Auth-Token: $TF_VAR_bigcommerce_access_token" \\
     -H "Content-Type: application/json" \\
     -d '{{"scope": "store/cart/converted", "is_active": true,
          "destination": "{webhook_url}",
          "headers": {{"X-Replication-Token": "'"$TF_VAR_webhook_token"'"}}}}'

   This lists what is registered already:

   curl {hooks} -H "X-Auth-Token: $TF_VAR_bigcommerce_access_token"

3. Buy something in the store, and look for it in the table order-replication-{stage.name}-orders.

A secret that changes later is written when secrets_version is raised in {stage.file.name}."""


def after_bootstrap(bucket: str, stage: str) -> str:
    """Where to go on from a bucket."""
    name = stage or "<stage>"
    return f"""
The state of every stage in this account and region is kept in {bucket}.

Next: set bigcommerce_store_hash, alert_email and replicate_since in
terraform/stages/{name}.tfvars, and in the environment TF_VAR_bigcommerce_access_token
and TF_VAR_webhook_token (openssl rand -hex 32). Then

  make deploy STAGE={name}"""
