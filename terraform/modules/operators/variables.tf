variable "region" {
  description = "AWS region of the stage."
  type        = string
}

variable "function_arns" {
  description = "ARNs of all Lambda functions."
  type        = list(string)
}

variable "poll_function_arn" {
  description = "ARN of the function that polls the store."
  type        = string
}

variable "schedule_arn" {
  description = "ARN of the EventBridge rule that invokes the polls."
  type        = string
}

variable "orders_table_arn" {
  description = "ARN of the Orders table."
  type        = string
}

variable "jobs_table_arn" {
  description = "ARN of the Jobs table."
  type        = string
}

variable "webhooks_table_arn" {
  description = "ARN of the Webhooks table."
  type        = string
}

variable "erasures_table_arn" {
  description = "ARN of the Erasures table."
  type        = string
}

variable "queue_arns" {
  description = "ARNs of the queues of new and changed orders."
  type        = list(string)
}

variable "dead_letter_queue_arns" {
  description = "ARNs of the dead-letter queues, and of the queues of unpublished and undelivered events."
  type        = list(string)
}

variable "log_group_arns" {
  description = "ARNs of the functions' log groups."
  type        = list(string)
}

variable "event_bus_arn" {
  description = "ARN of the event bus of the stage."
  type        = string
}

variable "topic_arns" {
  description = "ARNs of the topics of alerts and alarms."
  type        = list(string)
}

variable "parameter_arns" {
  description = "ARNs of the SSM parameters of the secrets."
  type        = list(string)
}

variable "kms_key_arns" {
  description = "ARNs of the customer-managed KMS keys, current and retired."
  type        = list(string)
}
