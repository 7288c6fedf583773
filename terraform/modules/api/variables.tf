variable "rest_api_id" {
  description = "Id of the REST API."
  type        = string
}

variable "deployment_id" {
  description = "Id of the deployment that the stage serves."
  type        = string
}

variable "access_log_group_arn" {
  description = "ARN of the log group for access logs, or null for none."
  type        = string
}
