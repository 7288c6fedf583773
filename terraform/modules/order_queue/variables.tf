variable "name" {
  description = "Prefix of the queue names and the alarm name."
  type        = string
}

variable "region" {
  description = "AWS region of the queues."
  type        = string
}

variable "queue" {
  description = "Name of the queue without the prefix. The name of its dead-letter queue ends in -dead-letters."
  type        = string
}

variable "alarm" {
  description = "Name of the alarm on the dead-letter queue without the prefix, and of its heading in the runbook."
  type        = string
}

variable "consumer_timeout" {
  description = "Timeout of the function that consumes the queue, in seconds (1 to 900)."
  type        = number

  validation {
    condition     = var.consumer_timeout >= 1 && var.consumer_timeout <= 900
    error_message = "consumer_timeout must be 1 to 900 seconds, the range of a Lambda function timeout."
  }
}

variable "max_receive_count" {
  description = "Number of receives after which SQS moves a message to the dead-letter queue."
  type        = number
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that the alarm on the dead-letter queue publishes to."
  type        = string
}

variable "runbook_url" {
  description = "URL of the runbook; the alarm description links to the heading of the alarm."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key, or null for SQS managed encryption."
  type        = string
}
