variable "repository" {
  description = "GitHub repository whose workflows can assume the roles, as owner/name in GitHub's spelling: AWS compares it case-sensitively."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name without wildcards: every repository that it matches can deploy."
  }
}

variable "owner_id" {
  description = "GitHub's ID of the owner of the repository, or null. Required together with repository_id. gh api repos/OWNER/NAME --jq '.owner.id,.id' prints both."
  type        = string
  default     = null

  validation {
    condition     = var.owner_id == null || can(regex("^[0-9]+$", var.owner_id))
    error_message = "owner_id must be a number. Wildcards would trust other owners."
  }
}

variable "repository_id" {
  description = "GitHub's ID of the repository, or null to trust the repository by its name only."
  type        = string
  default     = null

  validation {
    condition     = var.repository_id == null || can(regex("^[0-9]+$", var.repository_id))
    error_message = "repository_id must be a number. Wildcards would trust other repositories."
  }

  validation {
    condition     = (var.repository_id == null) == (var.owner_id == null)
    error_message = "owner_id and repository_id must be set together. The immutable subject of a token contains both."
  }
}

variable "trust_mutable_subject" {
  description = "Whether to trust the subject without IDs, repo:OWNER/NAME:environment:ENVIRONMENT. Default: only if repository_id is not set. Required for repositories that still send it."
  type        = bool
  default     = null

  validation {
    condition     = var.trust_mutable_subject != false || var.repository_id != null
    error_message = "trust_mutable_subject can be false only if owner_id and repository_id are set. No subject would be trusted otherwise."
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
    condition     = alltrue([for stage, region in var.stages : can(regex("^[a-z][a-z0-9]{1,15}$", stage)) && can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", region))])
    error_message = "stages must map stage names (2 to 16 lowercase letters and digits) to the codes of AWS regions, for example eu-west-1."
  }
}

variable "identity_provider_exists" {
  description = "Whether the account already has an identity provider for token.actions.githubusercontent.com. An account can have only one."
  type        = bool
  default     = false
}

variable "kms_key_arns" {
  description = "ARNs of the customer-managed KMS keys, by stage: kms_key_arn and retired_kms_key_arns of the stages that set them."
  type        = map(list(string))
  default     = {}
}

variable "destination_arns" {
  description = "ARNs of the queues, functions and event buses that receive events, by stage: sqs, lambda and event_bus of the destinations of the stages. HTTPS endpoints are not listed."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue(flatten([for arns in var.destination_arns : [for arn in arns : can(regex("^arn:aws[a-z-]*:(sqs|lambda|events):[a-z0-9-]+:[0-9]{12}:[^*]+$", arn))]]))
    error_message = "destination_arns must be ARNs of SQS queues, Lambda functions and event buses, without *. The roles of the stage can send to each of them."
  }
}
