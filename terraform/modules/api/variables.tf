variable "rest_api_id" {
  description = "ID of the REST API."
  type        = string
}

variable "deployment_id" {
  description = "ID of the API deployment that the stage serves."
  type        = string
}

variable "access_log_group_arn" {
  description = "ARN of the log group for access logs, or null to disable them."
  type        = string
}
