"""Every command that output, alerts and pages recommend, in one place."""


def run(stage: str, command: str) -> str:
    """Another command of this command line."""
    return f"python -m ops --stage {stage} {command}"


def deploy(stage: str) -> str:
    """The command that puts a stage's resources right; the sandbox makes its own anew."""
    return "make sandbox" if stage == "local" else f"make deploy STAGE={stage}"


def deploy_secret(stage: str, variable: str) -> str:
    """The commands that give a stage a secret."""
    if stage == "local":
        return deploy(stage)
    return (
        f"export TF_VAR_{variable}=..., raise secrets_version in terraform/stages/{stage}.tfvars, "
        f"then {deploy(stage)}"
    )


def read_log(stage: str, function: str) -> str:
    """The command that shows what a function has logged lately."""
    return f"aws logs tail /aws/lambda/order-replication-{stage}-{function} --since 1h"
