variable "name" {
  description = "Prefix of the roles' names."
  type        = string
}

variable "region" {
  description = "Region of the services through which the roles may use the customer-managed key."
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

variable "orders_queue_arn" {
  description = "ARN of the queue of order ids."
  type        = string
}

variable "errors_topic_arn" {
  description = "ARN of the topic of application errors."
  type        = string
}

variable "access_token_arn" {
  description = "ARN of the parameter that holds the store's access token."
  type        = string
}

variable "client_secret_arn" {
  description = "ARN of the parameter that holds the API account's client secret."
  type        = string
}

variable "webhook_token_arn" {
  description = "ARN of the parameter that holds our hook's secret."
  type        = string
}

variable "log_group_arns" {
  description = "ARN of each function's log group, by handler."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed key that tables, queues, topics and secrets are encrypted with, or null."
  type        = string
}
