variable "destination" {
  description = "Name of the destination."
  type        = string
}

variable "name" {
  description = "Name of the rule and the role, and prefix of the names of the queue and the alarm. It contains the stage."
  type        = string
}

variable "region" {
  description = "AWS region of the queue."
  type        = string
}

variable "bus_name" {
  description = "Name of the event bus."
  type        = string
}

variable "event_source" {
  description = "Source of the events of the stage."
  type        = string
}

variable "types" {
  description = "Types of the events that are sent. An empty list sends all types."
  type        = list(string)
}

variable "channel_ids" {
  description = "IDs of the channels whose events are sent. An empty list sends the events of all channels."
  type        = list(number)
}

variable "status_ids" {
  description = "IDs of the order statuses whose events are sent. An empty list sends the events of all statuses."
  type        = list(number)
}

variable "target_arn" {
  description = "ARN of the queue, API destination, function or event bus that the events are sent to."
  type        = string
}

variable "action" {
  description = "IAM action that sends an event to the target."
  type        = string
}

variable "target_kms_key_arn" {
  description = "ARN of the customer-managed KMS key that encrypts the target's queue, or null."
  type        = string
}

variable "message_group_id" {
  description = "Message group ID of all events in a FIFO queue, or null for other targets."
  type        = string
}

variable "retry_hours" {
  description = "Number of hours for which EventBridge retries an event (1 to 24)."
  type        = number
}

variable "retry_attempts" {
  description = "Maximum number of retries of an event (0 to 185)."
  type        = number
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that the alarm publishes to."
  type        = string
}

variable "runbook_url" {
  description = "URL of the runbook; the alarm description links to the heading of the alarm."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key whose key policy allows events.amazonaws.com to use it, or null for SQS managed encryption."
  type        = string
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the role can allow, or null."
  type        = string
}
