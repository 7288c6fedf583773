variable "name" {
  description = "Prefix of the topics' names."
  type        = string
}

variable "email" {
  description = "Address that both topics write to once it is confirmed."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed key whose policy lets cloudwatch.amazonaws.com use it, or null for none."
  type        = string
}
