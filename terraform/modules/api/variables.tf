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

variable "rate_limit" {
  description = "Steady-state throttling limit, in requests per second."
  type        = number
}

variable "burst_limit" {
  description = "Burst throttling limit, in requests."
  type        = number
}

variable "web_acl_arn" {
  description = "ARN of a web ACL of AWS WAF to associate with the API stage, or null."
  type        = string
}
