# value_wo is write-only: Terraform stores no secret in the state or in a plan, and does not compare the values.

locals {
  descriptions = {
    access_token           = "Access token of the store's API account."
    client_secret          = "Client secret of the store's API account, or the text unset if signatures are not verified."
    webhook_token          = "Token that authenticates webhook callbacks, sent in the header X-Replication-Token."
    webhook_token_previous = "Webhook token that is accepted during a rotation, or the text unset."
  }

  # The provider writes all arguments of a parameter together, and sends an empty value, which SSM refuses, if the version
  # of the value is the same. The version is therefore derived from everything that is written.
  versions = {
    for secret, description in local.descriptions :
    secret => parseint(substr(sha256(jsonencode([var.secrets_version, var.kms_key_arn, description])), 0, 8), 16)
  }
}

# When it updates a parameter, the provider does not send the key if the key is the same, and SSM would then encrypt the
# value with the AWS managed key. A parameter with a customer-managed key is therefore replaced. Functions keep the values
# that they have read, and read a secret again that was refused.
resource "terraform_data" "encryption" {
  input = var.kms_key_arn == null ? "" : "${var.kms_key_arn} ${var.secrets_version}"
}

resource "aws_ssm_parameter" "access_token" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name             = "${var.path}/bigcommerce-access-token"
  description      = local.descriptions.access_token
  type             = "SecureString"
  key_id           = var.kms_key_arn
  value_wo         = var.access_token
  value_wo_version = local.versions.access_token

  lifecycle {
    replace_triggered_by = [terraform_data.encryption]
  }
}

resource "aws_ssm_parameter" "client_secret" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name        = "${var.path}/bigcommerce-client-secret"
  description = local.descriptions.client_secret
  type        = "SecureString"
  key_id      = var.kms_key_arn

  # SSM does not accept an empty value.
  value_wo         = coalesce(var.client_secret, "unset")
  value_wo_version = local.versions.client_secret

  lifecycle {
    replace_triggered_by = [terraform_data.encryption]
  }
}

resource "aws_ssm_parameter" "webhook_token" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name             = "${var.path}/webhook-token"
  description      = local.descriptions.webhook_token
  type             = "SecureString"
  key_id           = var.kms_key_arn
  value_wo         = var.webhook_token
  value_wo_version = local.versions.webhook_token

  lifecycle {
    replace_triggered_by = [terraform_data.encryption]
  }
}

resource "aws_ssm_parameter" "webhook_token_previous" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name        = "${var.path}/webhook-token-previous"
  description = local.descriptions.webhook_token_previous
  type        = "SecureString"
  key_id      = var.kms_key_arn

  # SSM does not accept an empty value.
  value_wo         = coalesce(var.webhook_token_previous, "unset")
  value_wo_version = local.versions.webhook_token_previous

  lifecycle {
    replace_triggered_by = [terraform_data.encryption]
  }
}
