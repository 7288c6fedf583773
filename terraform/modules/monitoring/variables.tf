variable "name" {
  description = "Prefix of the alarm names, and name of the dashboard."
  type        = string
}

variable "region" {
  description = "AWS region of the metrics on the dashboard."
  type        = string
}

variable "namespace" {
  description = "CloudWatch namespace of the metrics that are derived from the function logs."
  type        = string
}

variable "metric_names" {
  description = "Names of the metrics in the namespace, each with its own name as the key."
  type        = map(string)
}

variable "runbook_url" {
  description = "URL of the runbook; an alarm description links to the heading of its alarm."
  type        = string
}

variable "polling_interval" {
  description = "Interval between two polls, in minutes."
  type        = number
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that the alarms publish to."
  type        = string
}

variable "alert_on_field_changes" {
  description = "Whether the alarm on changed fields of orders publishes to the topic."
  type        = bool
}

variable "function_names" {
  description = "Names of the Lambda functions, by handler."
  type        = map(string)
}

variable "queue_names" {
  description = "Names of the queue of new orders and the queue of changed orders."
  type        = object({ orders = string, changes = string })
}

variable "dead_letter_queue_names" {
  description = "Names of the dead-letter queues of both queues."
  type        = object({ orders = string, changes = string })
}

variable "unpublished_queue_name" {
  description = "Name of the queue of changes that could not be published as events."
  type        = string
}

variable "undelivered_queue_names" {
  description = "Names of the queues of undelivered events, by destination."
  type        = map(string)
}

variable "api_name" {
  description = "Name of the REST API."
  type        = string
}

variable "api_stage" {
  description = "Name of the API stage."
  type        = string
}

variable "webhook_rate_limit" {
  description = "Requests per second that the API accepts."
  type        = number
}
