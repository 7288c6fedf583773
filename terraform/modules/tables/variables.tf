variable "name" {
  description = "Prefix of the table names."
  type        = string
}

variable "deletion_protection" {
  description = "Whether deletion protection is enabled for the Orders table."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key, or null for the AWS managed key of DynamoDB."
  type        = string
}
