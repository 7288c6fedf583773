variable "name" {
  description = "Name of the API's log group and prefix of the metric filter names."
  type        = string
}

variable "function_names" {
  description = "Names of the Lambda functions, by handler."
  type        = map(string)
}

variable "namespace" {
  description = "CloudWatch namespace of the metrics. It contains the stage, because a metric filter cannot add a dimension that is not in the log line."
  type        = string
}

variable "retention_days" {
  description = "Retention of the logs, in days."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key, or null for the default encryption of CloudWatch Logs."
  type        = string
}
