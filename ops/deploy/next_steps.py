"""What remains to be done by hand, with the lines to paste."""

from ops.stages import Stage


def after_deploy(stage: Stage, webhook_url: str) -> str:
    """The webhook's URL and the steps that AWS and the store leave to people.

    The commands find the secrets in the stage, so none is pasted.
    """
    operate = f".venv/bin/python -m ops --stage {stage.name}"
    return f"""
{stage.name} is deployed. Its webhook: {webhook_url}

What is left to do, the first time:

1. Confirm the two e-mails that AWS has sent to {stage.value("alert_email")}:
   until then no alert arrives.

2. Have the store call the webhook; harmless when it does already:

   {operate} webhook register

3. Look for orders once, and then whether all is well (the alarm polls-missing rings from the
   deployment until some minutes after the first poll):

   {operate} poll
   {operate} doctor

4. Buy something in the store, and look for it in the table order-replication-{stage.name}-orders.

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
