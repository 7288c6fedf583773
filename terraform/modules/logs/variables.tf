variable "name" {
  description = "Prefix of the names of the API's log group and the metric filters."
  type        = string
}

variable "function_names" {
  description = "Name of each Lambda function, by handler."
  type        = map(string)
}

variable "namespace" {
  description = "CloudWatch namespace of the metrics. It holds the stage, since a metric filter cannot add a dimension that the line does not hold."
  type        = string
}

variable "retention_days" {
  description = "Days that the logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed key, or null for the encryption CloudWatch Logs always has."
  type        = string
}
