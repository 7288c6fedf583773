# Where

variable "stage" {
  description = "Name of the deployment, part of the name of every resource: dev, staging or prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,15}$", var.stage))
    error_message = "stage must be 2 to 16 lower-case letters and digits, because it is part of resource names, some of them short."
  }

  validation {
    condition     = var.stage == local.packaged_stage
    error_message = "stage is not the one this folder was packaged for (${local.packaged_stage}): package again for this stage, or one stage would run another's settings."
  }
}

variable "region" {
  description = "AWS region to deploy to, such as eu-west-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region's code such as eu-west-1, because endpoints are built from it."
  }
}

# The store

variable "bigcommerce_store_hash" {
  description = "The store's hash: the part after stores/ in the API path that BigCommerce shows with the API account."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,32}$", var.bigcommerce_store_hash))
    error_message = "bigcommerce_store_hash must be the lower-case letters and digits after stores/ in the API path, because it becomes part of every request's URL."
  }
}

variable "bigcommerce_api_url" {
  description = "Base URL of the BigCommerce API, without a trailing slash."
  type        = string
  default     = "https://api.bigcommerce.com"

  validation {
    condition     = can(regex("^(https://[^/\\s]+|http://127\\.0\\.0\\.1:[0-9]+)(/[^/\\s]+)*$", var.bigcommerce_api_url))
    error_message = "bigcommerce_api_url must begin with https:// and have no trailing slash, because the access token travels with every request and paths are appended to it; http is for the sandbox at 127.0.0.1."
  }
}

variable "bigcommerce_access_token" {
  description = "Access token of the store's API account, with the scope Orders: modify. Written to SSM only, when secrets_version changes."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^\\S+$", var.bigcommerce_access_token))
    error_message = "bigcommerce_access_token must not be empty or hold white space, because BigCommerce would refuse every request."
  }
}

variable "bigcommerce_client_secret" {
  description = "Client secret of the store's API account, for the webhook's signature. Empty when signatures are not to be verified. Written to SSM only, when secrets_version changes."
  type        = string
  default     = ""
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^\\S*$", var.bigcommerce_client_secret))
    error_message = "bigcommerce_client_secret must not hold white space, because a signature made with it would never match."
  }
}

variable "webhook_token" {
  description = "Secret that our own hook carries in the header X-Replication-Token, at least 32 characters: openssl rand -hex 32 makes one. Written to SSM only, when secrets_version changes."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[0-9A-Za-z._~+/=-]{32,256}$", var.webhook_token))
    error_message = "webhook_token must be 32 to 256 letters, digits or ._~+/=- because it is all that keeps strangers out and it travels in a header."
  }
}

variable "secrets_version" {
  description = "Version of the three secrets. They are written when this number changes and at no other time: to rotate one, raise it."
  type        = number
  default     = 1

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "secrets_version must be a whole number from 1, because SSM is written when it changes and counts upward."
  }
}

# What is replicated, and what becomes of it

variable "polling_interval" {
  description = "Minutes between two polls: 15, 30, 60, 120, 240, 480 or 1440."
  type        = number
  default     = 120

  validation {
    condition     = contains([15, 30, 60, 120, 240, 480, 1440], var.polling_interval)
    error_message = "polling_interval must be 15, 30, 60, 120, 240, 480 or 1440 minutes: a poll may run for 15 minutes, and a day must be a whole number of polls."
  }
}

variable "replicate_since" {
  description = "Orders created at or after this RFC 3339 moment are replicated, older ones never. No default: switching on a live store is a decision."
  type        = string

  validation {
    # The functions refuse a moment without an offset, and formatdate does too.
    condition     = can(formatdate("YYYY-MM-DD", var.replicate_since))
    error_message = "replicate_since must be an RFC 3339 moment with an offset such as 2025-01-31T00:00:00Z, because without one the first poll would not know which orders are yours to move."
  }
}

variable "sweep_hours" {
  description = "Hours between two sweeps, the polls that list everything new since replicate_since and not only what changed."
  type        = number
  default     = 24

  validation {
    condition     = var.sweep_hours >= 1 && var.sweep_hours <= 168 && floor(var.sweep_hours) == var.sweep_hours
    error_message = "sweep_hours must be a whole number of hours from 1 to 168, because a sweep is what finds an order that everything else has missed."
  }
}

variable "new_status_ids" {
  description = "Ids of the order statuses that make an order new. Completed (10) counts for digital orders only."
  type        = list(number)
  default     = [11, 7, 10]

  validation {
    condition     = length(var.new_status_ids) > 0 && alltrue([for id in var.new_status_ids : contains(range(15), id)])
    error_message = "new_status_ids must name at least one of BigCommerce's statuses, 0 to 14, because nothing would be replicated otherwise."
  }

  validation {
    condition     = length(var.new_status_ids) == length(distinct(var.new_status_ids))
    error_message = "new_status_ids must not name a status twice, because each one is a listing of its own in every poll."
  }
}

variable "physical_status_id" {
  description = "Id of the status a replicated order moves to when something in it is shipped. 9 is Awaiting Shipment."
  type        = number
  default     = 9

  validation {
    condition     = contains(range(15), var.physical_status_id) && !contains(var.new_status_ids, var.physical_status_id)
    error_message = "physical_status_id must be one of BigCommerce's statuses, 0 to 14, and none of new_status_ids, because a moved order would look new again."
  }
}

variable "digital_status_id" {
  description = "Id of the status a replicated order moves to when nothing in it is shipped. 8 is Awaiting Pickup."
  type        = number
  default     = 8

  validation {
    condition     = contains(range(15), var.digital_status_id) && !contains(var.new_status_ids, var.digital_status_id)
    error_message = "digital_status_id must be one of BigCommerce's statuses, 0 to 14, and none of new_status_ids, because a moved order would look new again."
  }
}

variable "move_status" {
  description = "Whether a replicated order's status is moved in the store. False replicates without touching the store."
  type        = bool
  default     = true
}

variable "redacted_fields" {
  description = "Dotted paths of order fields that are never stored, such as billing_address.email or ip_address."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for path in var.redacted_fields : can(regex("^[a-z0-9_]+(\\.[a-z0-9_]+)*$", path))])
    error_message = "redacted_fields must be dotted paths of lower-case field names such as shipping_addresses.phone, because a path that matches nothing redacts nothing."
  }
}

variable "retention_days" {
  description = "Days after which the records of polls and webhooks expire. Orders never do."
  type        = number
  default     = 90

  validation {
    condition     = var.retention_days >= 8 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number of days from 8, because a poll goes on from the last one's record, and sweeps may lie 7 days apart."
  }
}

# How hard

variable "consumer_concurrency" {
  description = "Batches of orders replicated at a time."
  type        = number
  default     = 3

  validation {
    condition     = var.consumer_concurrency >= 2 && var.consumer_concurrency <= 1000 && floor(var.consumer_concurrency) == var.consumer_concurrency
    error_message = "consumer_concurrency must be a whole number from 2 to 1000: Lambda's event source for SQS takes no other."
  }
}

variable "max_in_flight" {
  description = "Requests to the store that one function has in the air at a time."
  type        = number
  default     = 5

  validation {
    condition     = var.max_in_flight >= 1 && var.max_in_flight <= 20 && floor(var.max_in_flight) == var.max_in_flight
    error_message = "max_in_flight must be a whole number from 1 to 20, because the store's quota is shared by every app on it."
  }
}

variable "skip_coupons_without_discount" {
  description = "Whether an order whose coupon_discount and discount_amount are zero is taken to have no coupons, which saves a request an order. A coupon that BigCommerce counts in neither, as one for free shipping may be, is then not stored."
  type        = bool
  default     = false
}

variable "max_receive_count" {
  description = "Receives after which an order's message goes to the dead-letter queue. With the waits between them, 20 outlast half a day."
  type        = number
  default     = 20

  validation {
    condition     = var.max_receive_count >= 5 && var.max_receive_count <= 100 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count must be a whole number from 5 to 100: fewer are used up by a short outage, and after 100, most of them an hour apart, four days have passed before anyone hears of it."
  }
}

# Who hears of it, and how it is kept

variable "alert_email" {
  description = "Address that alerts go to. AWS sends it two requests to confirm, and nothing else until they are confirmed."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s.]+$", var.alert_email))
    error_message = "alert_email must be an e-mail address, because a failure that nobody hears of is not noticed."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the functions' logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the numbers CloudWatch offers (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, ...)."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the Orders table. To destroy the stage, set it to false and apply first."
  type        = bool
  default     = true
}

variable "access_logs" {
  description = "Whether API Gateway logs each request. The account must have a CloudWatch role for API Gateway in this region (API Gateway console, Settings), which a new account has not."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key in this region for tables, queues, topics, secrets and logs; null leaves encryption to keys that AWS manages. The key's policy must allow kms:Decrypt and kms:GenerateDataKey* to cloudwatch.amazonaws.com, and these with kms:Encrypt*, kms:ReEncrypt* and kms:Describe* to logs.<region>.amazonaws.com."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:${var.region}:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias) in the stage's region, because policies name it and CloudWatch Logs takes no other."
  }
}
