variable "name" {
  description = "Prefix of the role names."
  type        = string
}

variable "region" {
  description = "AWS region of the services through which the roles can use the customer-managed key."
  type        = string
}

variable "orders_table_arn" {
  description = "ARN of the Orders table."
  type        = string
}

variable "orders_stream_arn" {
  description = "ARN of the stream of the Orders table."
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
  description = "ARN of the queue of the IDs of new orders."
  type        = string
}

variable "changes_queue_arn" {
  description = "ARN of the queue of the IDs of changed orders."
  type        = string
}

variable "event_bus_arn" {
  description = "ARN of the event bus."
  type        = string
}

variable "unpublished_events_arn" {
  description = "ARN of the queue of changes that could not be published as events."
  type        = string
}

variable "errors_topic_arn" {
  description = "ARN of the SNS topic for application errors."
  type        = string
}

variable "access_token_arn" {
  description = "ARN of the SSM parameter for the store's access token."
  type        = string
}

variable "client_secret_arn" {
  description = "ARN of the SSM parameter for the client secret of the store's API account."
  type        = string
}

variable "webhook_token_arns" {
  description = "ARNs of the SSM parameters for the webhook token and the previous one."
  type        = list(string)
}

variable "log_group_arns" {
  description = "ARNs of the functions' log groups, by handler."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed KMS key that encrypts tables, queues, topics and secrets, or null."
  type        = string
}

variable "retired_kms_key_arns" {
  description = "ARNs of customer-managed KMS keys that encrypted data of the stage earlier."
  type        = list(string)
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles can allow, or null."
  type        = string
}
