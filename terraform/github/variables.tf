variable "repository" {
  description = "GitHub repository whose workflows may take the roles, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name without wildcards, because whoever it matches may deploy."
  }
}

variable "stages" {
  description = "Stages that this account holds, each with the region that terraform/stages gives it."
  type        = map(string)
  default = {
    dev     = "us-east-1"
    staging = "us-east-1"
    prod    = "us-east-1"
  }

  validation {
    condition     = alltrue([for stage, region in var.stages : can(regex("^[a-z][a-z0-9]{1,15}$", stage)) && can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", region))])
    error_message = "stages must map stages as terraform/variables.tf takes them to AWS regions such as eu-west-1, because both are part of what the roles may touch."
  }
}

variable "identity_provider_exists" {
  description = "Whether the account already trusts GitHub's identity provider (token.actions.githubusercontent.com). An account has it once."
  type        = bool
  default     = false
}

variable "kms_key_arns" {
  description = "ARN of the customer-managed key of each stage that sets kms_key_arn."
  type        = map(string)
  default     = {}
}
