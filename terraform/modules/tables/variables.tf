variable "name" {
  description = "Prefix of the tables' names."
  type        = string
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the Orders table."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed key, or null for the key that AWS manages for DynamoDB."
  type        = string
}
