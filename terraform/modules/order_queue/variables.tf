variable "name" {
  description = "Prefix of the names of the queues and the alarm."
  type        = string
}

variable "consumer_timeout" {
  description = "Time-out of the function that reads the queue, in seconds."
  type        = number

  validation {
    condition     = var.consumer_timeout >= 1 && var.consumer_timeout <= 900
    error_message = "consumer_timeout must be 1 to 900 seconds, because Lambda runs nothing longer."
  }
}

variable "max_receive_count" {
  description = "Receives after which a message goes to the dead-letter queue."
  type        = number
}

variable "alarm_topic_arn" {
  description = "ARN of the topic that hears of dead letters."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed key, or null for SQS's own encryption."
  type        = string
}
