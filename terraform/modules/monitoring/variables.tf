variable "name" {
  description = "Prefix of the alarms' names, and the dashboard's name."
  type        = string
}

variable "region" {
  description = "Region of the metrics on the dashboard."
  type        = string
}

variable "namespace" {
  description = "CloudWatch namespace of the metrics from the functions' logs."
  type        = string
}

variable "polling_interval" {
  description = "Minutes between two polls."
  type        = number
}

variable "alarm_topic_arn" {
  description = "ARN of the topic that alarms are published to."
  type        = string
}

variable "function_names" {
  description = "Name of each Lambda function, by handler."
  type        = map(string)
}

variable "queue_name" {
  description = "Name of the queue of order ids."
  type        = string
}

variable "dead_letter_queue_name" {
  description = "Name of the dead-letter queue."
  type        = string
}

variable "api_name" {
  description = "Name of the REST API."
  type        = string
}

variable "api_stage" {
  description = "Name of the REST API's stage."
  type        = string
}
