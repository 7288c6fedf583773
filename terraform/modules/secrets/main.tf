# value_wo is write-only: Terraform stores no secret in the state or in a plan, and does not compare the values.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  names = {
    access_token           = "${var.path}/bigcommerce-access-token"
    client_secret          = "${var.path}/bigcommerce-client-secret"
    webhook_token          = "${var.path}/webhook-token"
    webhook_token_previous = "${var.path}/webhook-token-previous"
  }

  descriptions = {
    access_token           = "Access token of the store's API account."
    client_secret          = "Client secret of the store's API account, or the text unset if signatures are not verified."
    webhook_token          = "Token that authenticates webhook callbacks, sent in the header X-Replication-Token."
    webhook_token_previous = "Webhook token that is accepted during a rotation, or the text unset."
  }

  # The provider writes all arguments of a parameter together, and sends an empty value, which SSM refuses, if the version
  # of the value is the same. The version is therefore derived from everything that is written.
  digests = {
    for secret, description in local.descriptions :
    secret => substr(sha256(jsonencode([var.secrets_version, var.kms_key_arn, description])), 0, 8)
  }

  versions = { for secret, digest in local.digests : secret => parseint(digest, 16) }

  # When it updates a parameter, the provider does not send the key if the key is the same, and SSM would then encrypt the
  # value with the AWS managed key. Whatever is written with a customer-managed key is therefore a new parameter, with a
  # name of its own, so that the previous one exists until the functions know the new name.
  suffixes = { for secret, digest in local.digests : secret => var.kms_key_arn == null ? "" : "-${digest}" }

  # With every suffix, so that a function may read the previous parameter until it knows the name of the new one.
  arns = {
    for secret, name in local.names :
    secret => "arn:${data.aws_partition.current.partition}:ssm:${var.region}:${data.aws_caller_identity.current.account_id}:parameter${name}*"
  }
}

resource "aws_ssm_parameter" "access_token" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name             = "${local.names.access_token}${local.suffixes.access_token}"
  description      = local.descriptions.access_token
  type             = "SecureString"
  key_id           = var.kms_key_arn
  value_wo         = var.access_token
  value_wo_version = local.versions.access_token

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_ssm_parameter" "client_secret" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name        = "${local.names.client_secret}${local.suffixes.client_secret}"
  description = local.descriptions.client_secret
  type        = "SecureString"
  key_id      = var.kms_key_arn

  # SSM does not accept an empty value.
  value_wo         = coalesce(var.client_secret, "unset")
  value_wo_version = local.versions.client_secret

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_ssm_parameter" "webhook_token" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name             = "${local.names.webhook_token}${local.suffixes.webhook_token}"
  description      = local.descriptions.webhook_token
  type             = "SecureString"
  key_id           = var.kms_key_arn
  value_wo         = var.webhook_token
  value_wo_version = local.versions.webhook_token

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_ssm_parameter" "webhook_token_previous" {
  # checkov:skip=CKV_AWS_337:A customer-managed key is used if kms_key_arn is set.
  name        = "${local.names.webhook_token_previous}${local.suffixes.webhook_token_previous}"
  description = local.descriptions.webhook_token_previous
  type        = "SecureString"
  key_id      = var.kms_key_arn

  # SSM does not accept an empty value.
  value_wo         = coalesce(var.webhook_token_previous, "unset")
  value_wo_version = local.versions.webhook_token_previous

  lifecycle {
    create_before_destroy = true
  }
}
