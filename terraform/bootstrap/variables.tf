variable "region" {
  description = "AWS region of the bucket, for example eu-west-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the code of an AWS region, for example eu-west-1. The bucket name contains it."
  }
}

variable "bucket_exists" {
  description = "Whether the bucket already exists, for example because it was created from another machine. If true, the bucket is imported instead of created."
  type        = bool
  default     = false
}
