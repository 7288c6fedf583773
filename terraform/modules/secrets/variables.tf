variable "path" {
  description = "Path of the parameters' names, with a leading and no trailing slash."
  type        = string
}

variable "access_token" {
  description = "Access token of the store's API account."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "client_secret" {
  description = "Client secret of the store's API account, or an empty string."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "webhook_token" {
  description = "Secret that our own hook carries in a header."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "secrets_version" {
  description = "The values are written when this number changes and at no other time."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed key, or null for the key that AWS manages for SSM."
  type        = string
}
