variable "name" {
  description = "Prefix of the topic names."
  type        = string
}

variable "region" {
  description = "AWS region of the topics."
  type        = string
}

variable "email" {
  description = "E-mail address that is subscribed to both topics."
  type        = string
}

variable "subscriptions" {
  description = "Additional subscriptions of both topics."
  type        = list(object({ protocol = string, endpoint = string }))
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key whose key policy allows cloudwatch.amazonaws.com to use it, or null for no encryption."
  type        = string
}
