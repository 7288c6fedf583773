variable "repository" {
  description = "GitHub repository whose workflows can assume the roles, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name without wildcards: every repository that it matches can deploy."
  }
}

variable "stages" {
  description = "Stages in this account, each with the region that is set in its file in terraform/stages."
  type        = map(string)
  default = {
    dev     = "us-east-1"
    staging = "us-east-1"
    prod    = "us-east-1"
  }

  validation {
    condition     = alltrue([for stage, region in var.stages : can(regex("^[a-z][a-z0-9]{1,15}$", stage)) && can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", region))])
    error_message = "stages must map stage names (2 to 16 lowercase letters and digits) to the codes of AWS regions, for example eu-west-1."
  }
}

variable "identity_provider_exists" {
  description = "Whether the account already has an identity provider for token.actions.githubusercontent.com. An account can have only one."
  type        = bool
  default     = false
}

variable "kms_key_arns" {
  description = "ARNs of the customer-managed KMS keys, by stage, for the stages that set kms_key_arn."
  type        = map(string)
  default     = {}
}
