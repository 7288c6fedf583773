variable "name" {
  description = "Prefix of the table names."
  type        = string
}

variable "deletion_protection" {
  description = "Whether deletion protection is enabled for the tables Orders and Erasures."
  type        = bool
}

variable "orders_expire" {
  description = "Whether DynamoDB deletes items of the Orders table after the time in their attribute expires_at."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key, or null for a key that AWS owns."
  type        = string
}
