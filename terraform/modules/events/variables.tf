variable "name" {
  description = "Name of the bus, and prefix of the names of the queue and the alarm."
  type        = string
}

variable "region" {
  description = "AWS region of the queue."
  type        = string
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that the alarm on the queue publishes to."
  type        = string
}

variable "runbook_url" {
  description = "URL of the runbook; the alarm description links to the heading of the alarm."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key whose key policy allows events.amazonaws.com to use it, or null for the encryption of EventBridge and SQS."
  type        = string
}
