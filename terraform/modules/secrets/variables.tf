variable "path" {
  description = "Path of the parameter names, with a leading slash and no trailing slash."
  type        = string
}

variable "region" {
  description = "AWS region of the parameters."
  type        = string
}

variable "access_token" {
  description = "Access token of the store's API account."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "client_secret" {
  description = "Client secret of the store's API account, or an empty string if signatures are not verified."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "webhook_token" {
  description = "Token that authenticates webhook callbacks."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "webhook_token_previous" {
  description = "Webhook token that is accepted during a rotation, or an empty string."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "secrets_version" {
  description = "Version of the values. Terraform writes them only when this number changes."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key, or null for the AWS managed key of SSM."
  type        = string
}
