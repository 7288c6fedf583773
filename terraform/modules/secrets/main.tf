# value_wo is write-only: Terraform stores no secret in the state or in a plan, and does not compare the values.

resource "aws_ssm_parameter" "access_token" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name             = "${var.path}/bigcommerce-access-token"
  description      = "Access token of the store's API account."
  type             = "SecureString"
  key_id           = var.kms_key_arn
  value_wo         = var.access_token
  value_wo_version = var.secrets_version
}

resource "aws_ssm_parameter" "client_secret" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name        = "${var.path}/bigcommerce-client-secret"
  description = "Client secret of the store's API account, or the text unset if signatures are not verified."
  type        = "SecureString"
  key_id      = var.kms_key_arn

  # SSM does not accept an empty value.
  value_wo         = coalesce(var.client_secret, "unset")
  value_wo_version = var.secrets_version
}

resource "aws_ssm_parameter" "webhook_token" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name             = "${var.path}/webhook-token"
  description      = "Token that authenticates webhook callbacks, sent in the header X-Replication-Token."
  type             = "SecureString"
  key_id           = var.kms_key_arn
  value_wo         = var.webhook_token
  value_wo_version = var.secrets_version
}
