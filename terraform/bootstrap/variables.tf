variable "region" {
  description = "AWS region of the bucket, such as eu-west-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region's code such as eu-west-1, because the bucket is named for it."
  }
}

variable "bucket_exists" {
  description = "Whether the bucket is there already, made from another machine. It is taken over as it is then, instead of being made."
  type        = bool
  default     = false
}
