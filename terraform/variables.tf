# Stage and region

variable "stage" {
  description = "Name of the stage, part of the name of every resource: 2 to 16 lowercase letters and digits, starting with a letter."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,15}$", var.stage)) && var.stage != "local"
    error_message = "stage must be 2 to 16 lowercase letters and digits, starting with a letter. It is part of resource names, some of which have a short maximum length. The name local is reserved for the sandbox."
  }

  validation {
    condition     = var.stage == local.packaged_stage
    error_message = "stage must be the stage that was packaged last (${local.packaged_stage}). Run make package for this stage first."
  }
}

variable "region" {
  description = "AWS region to deploy to, for example eu-west-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the code of an AWS region, for example eu-west-1. Service endpoints are derived from it."
  }
}

# BigCommerce store

variable "bigcommerce_store_hash" {
  description = "Store hash: the part after stores/ in the API path of the store's API account, 3 to 32 lowercase letters and digits."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,32}$", var.bigcommerce_store_hash))
    error_message = "bigcommerce_store_hash must be 3 to 32 lowercase letters and digits: only the part after stores/ in the API path."
  }
}

variable "bigcommerce_api_url" {
  description = "Base URL of the BigCommerce API: HTTPS and a host of bigcommerce.com, without a trailing slash."
  type        = string
  default     = "https://api.bigcommerce.com"

  validation {
    condition     = can(regex("^(https://([a-z0-9-]+\\.)*bigcommerce\\.com|http://127\\.0\\.0\\.1:[0-9]+)(/[^/?#\\s]+)*$", var.bigcommerce_api_url))
    error_message = "bigcommerce_api_url must be an https:// URL of bigcommerce.com and must not end with a slash: the access token is sent with every request, and paths are appended to the URL. http:// is accepted only for the sandbox on 127.0.0.1."
  }
}

variable "bigcommerce_access_token" {
  description = "Access token of the store's API account, with the scope Orders: modify. Stored in SSM Parameter Store only; written when secrets_version changes."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^\\S+$", var.bigcommerce_access_token))
    error_message = "bigcommerce_access_token must not be empty or contain white space. BigCommerce would reject every request."
  }
}

variable "bigcommerce_client_secret" {
  description = "Client secret of the store's API account, used to verify webhook signatures. An empty string disables the verification. Stored in SSM Parameter Store only; written when secrets_version changes."
  type        = string
  default     = ""
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^\\S*$", var.bigcommerce_client_secret))
    error_message = "bigcommerce_client_secret must not contain white space. No signature would match."
  }
}

variable "webhook_token" {
  description = "Token that authenticates webhook callbacks, sent in the header X-Replication-Token: 32 to 256 characters. To generate one, run openssl rand -hex 32. Stored in SSM Parameter Store only; written when secrets_version changes."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[0-9A-Za-z._~+/=-]{32,256}$", var.webhook_token))
    error_message = "webhook_token must be 32 to 256 letters, digits or characters of ._~+/=- because it authenticates every webhook callback and is sent as an HTTP header."
  }
}

variable "webhook_token_previous" {
  description = "Webhook token that is accepted besides webhook_token while a rotation lasts, or an empty string. Stored in SSM Parameter Store only; written when secrets_version changes."
  type        = string
  default     = ""
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^([0-9A-Za-z._~+/=-]{32,256})?$", var.webhook_token_previous))
    error_message = "webhook_token_previous must be an earlier webhook_token, or empty."
  }
}

variable "require_signature" {
  description = "Whether webhook callbacks without a signature are refused. Has no effect without bigcommerce_client_secret. Set it to false if the store sends unsigned callbacks."
  type        = bool
  default     = true
}

variable "secrets_version" {
  description = "Version of the secrets, a whole number from 1. Secrets are written only when this number changes: increase it to rotate a secret."
  type        = number
  default     = 1

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "secrets_version must be a whole number, at least 1. Increase it to write the secrets again."
  }
}

# Replication

variable "polling_interval" {
  description = "Interval between two polls, in minutes: 15, 30, 60, 120, 240, 480 or 1440."
  type        = number
  default     = 120

  validation {
    condition     = contains([15, 30, 60, 120, 240, 480, 1440], var.polling_interval)
    error_message = "polling_interval must be 15, 30, 60, 120, 240, 480 or 1440 minutes. A poll can run for 15 minutes, and a day must be a whole number of polls."
  }
}

variable "replicate_since" {
  description = "Orders that were created at or after this time are replicated, older orders are not: an RFC 3339 timestamp with an offset, for example 2026-01-31T00:00:00Z. There is no default, because the value determines which orders of a live store are moved."
  type        = string

  validation {
    # formatdate requires an offset, as the functions do.
    condition     = can(formatdate("YYYY-MM-DD", var.replicate_since))
    error_message = "replicate_since must be an RFC 3339 timestamp with an offset, for example 2026-01-31T00:00:00Z."
  }
}

variable "sweep_hours" {
  description = "Interval between two sweeps, in hours (1 to 168). A sweep is a poll that lists all new orders since replicate_since instead of recent changes only."
  type        = number
  default     = 24

  validation {
    condition     = var.sweep_hours >= 1 && var.sweep_hours <= 168 && floor(var.sweep_hours) == var.sweep_hours
    error_message = "sweep_hours must be a whole number from 1 to 168. Only a sweep finds an order that webhooks and other polls have missed."
  }
}

variable "sweep_days" {
  description = "Number of days (1 to 90) for which a sweep compares modified orders with the Orders table."
  type        = number
  default     = 7

  validation {
    condition     = var.sweep_days >= 1 && var.sweep_days <= 90 && floor(var.sweep_days) == var.sweep_days
    error_message = "sweep_days must be a whole number from 1 to 90. Each sweep lists every order that was modified within these days."
  }
}

variable "new_status_ids" {
  description = "IDs of the order statuses in which an order is new, 0 to 14. Completed (10) applies to digital orders only."
  type        = list(number)
  default     = [11, 7, 10]

  validation {
    condition     = length(var.new_status_ids) > 0 && alltrue([for id in var.new_status_ids : contains(range(15), id)])
    error_message = "new_status_ids must contain at least one BigCommerce order status ID, 0 to 14. No orders would be replicated otherwise."
  }

  validation {
    condition     = length(var.new_status_ids) == length(distinct(var.new_status_ids))
    error_message = "new_status_ids must not contain duplicates. Each poll lists the orders of each status separately."
  }
}

variable "ignored_status_ids" {
  description = "IDs of the order statuses in which an order is not stored for the first time, 0 to 14. The default is Incomplete (0) and Pending (1). An order that is stored is kept current in every status."
  type        = list(number)
  default     = [0, 1]

  validation {
    condition     = alltrue([for id in var.ignored_status_ids : contains(range(15), id) && !contains(var.new_status_ids, id)])
    error_message = "ignored_status_ids must be BigCommerce order status IDs, 0 to 14, that are not in new_status_ids. An ignored order is not stored, and a new order must be stored before it is moved."
  }
}

variable "channel_ids" {
  description = "IDs of the channels whose orders are replicated. An empty list replicates the orders of all channels."
  type        = list(number)
  default     = []

  validation {
    condition     = alltrue([for id in var.channel_ids : id >= 1 && floor(id) == id])
    error_message = "channel_ids must be whole numbers, at least 1, as BigCommerce numbers its channels. No order has another channel ID."
  }
}

variable "physical_status_id" {
  description = "ID of the status that a replicated order with physical products is moved to, 0 to 14. The default is Awaiting Shipment (9)."
  type        = number
  default     = 9

  validation {
    condition     = contains(range(15), var.physical_status_id) && !contains(var.new_status_ids, var.physical_status_id)
    error_message = "physical_status_id must be a BigCommerce order status ID, 0 to 14, that is not in new_status_ids. A moved order would be new again otherwise."
  }
}

variable "pickup_status_id" {
  description = "ID of the status that a replicated order is moved to if all its physical products are picked up in person, 0 to 14. The default is Awaiting Pickup (8)."
  type        = number
  default     = 8

  validation {
    condition     = contains(range(15), var.pickup_status_id) && !contains(var.new_status_ids, var.pickup_status_id)
    error_message = "pickup_status_id must be a BigCommerce order status ID, 0 to 14, that is not in new_status_ids. A moved order would be new again otherwise."
  }
}

variable "digital_status_id" {
  description = "ID of the status that a replicated order without physical products is moved to, 0 to 14. The default is Awaiting Pickup (8)."
  type        = number
  default     = 8

  validation {
    condition     = contains(range(15), var.digital_status_id) && !contains(var.new_status_ids, var.digital_status_id)
    error_message = "digital_status_id must be a BigCommerce order status ID, 0 to 14, that is not in new_status_ids. A moved order would be new again otherwise."
  }
}

variable "move_status" {
  description = "Whether the status of a replicated order is changed in the store. If false, orders are replicated and the store is not changed."
  type        = bool
  default     = true
}

variable "move_unpaid" {
  description = "Whether an order in Awaiting Payment (7) is moved. BigCommerce treats Awaiting Shipment (9) as paid: taxes are filed and products can be shipped. If false, such an order is stored, and moved when it is paid."
  type        = bool
  default     = true
}

variable "redacted_fields" {
  description = "Dotted paths of order fields that are not stored, for example billing_address.email or ip_address."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for path in var.redacted_fields : can(regex("^[a-z0-9_]+(\\.[a-z0-9_]+)*$", path))])
    error_message = "redacted_fields must be dotted paths of lowercase field names, for example shipping_addresses.phone. Other paths match no field."
  }

  validation {
    condition     = length(join(",", var.redacted_fields)) <= 1500
    error_message = "redacted_fields must have at most 1,500 characters with its commas: Lambda limits the environment of a function to 4 KB. A path leaves out everything below it: billing_address in place of its fields."
  }
}

variable "orders_retention_days" {
  description = "Retention of orders in the Orders table, in days from their creation in the store: 30 to 7300 and more than sweep_days, or 0 to keep them for ever. Older orders are neither stored nor moved, and DynamoDB deletes their items. After a change, run the command expire."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.orders_retention_days == 0 || (var.orders_retention_days >= 30 && var.orders_retention_days <= 7300 && floor(var.orders_retention_days) == var.orders_retention_days)
    error_message = "orders_retention_days must be 0, or a whole number from 30 to 7300. An order must be kept for longer than its messages can wait in a queue and its dead-letter queue, which is 28 days."
  }

  validation {
    condition     = var.orders_retention_days == 0 || var.orders_retention_days > var.sweep_days
    error_message = "orders_retention_days must be 0, or more than sweep_days. A sweep compares the orders of these days with the Orders table."
  }
}

variable "retention_days" {
  description = "Retention of poll and webhook records, in days (at least 8). Orders are kept for orders_retention_days."
  type        = number
  default     = 90

  validation {
    condition     = var.retention_days >= 8 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number, at least 8. A poll continues from the record of an earlier poll, and sweeps can be 7 days apart."
  }
}

# Events

variable "event_content" {
  description = "What an event about an order contains: ids (IDs and names of fields) or order (also the order, if it fits into an event). An order contains personal data, which every receiver then has."
  type        = string
  default     = "ids"

  validation {
    condition     = contains(["ids", "order"], var.event_content)
    error_message = "event_content must be ids or order."
  }
}

variable "publish_first_fill" {
  description = "Whether the orders that the first sweep of a stage stores are published as events. If false, receivers get events about later changes only."
  type        = bool
  default     = false
}

variable "destinations" {
  description = <<-EOT
    Receivers of events, by name. Each has one of: sqs (ARN of a queue), https (an endpoint), lambda (ARN of a function) or event_bus (ARN of a bus).
    types, channel_ids and status_ids select events; an empty list selects all. An event must match every list that is given.
    EventBridge retries an event for retry_hours (1 to 24) and retry_attempts (0 to 185); then it is in the queue of undelivered events of this destination.
  EOT

  type = map(object({
    # A FIFO queue needs content-based deduplication. sqs_kms_key_arn is the customer-managed key of the queue, if it has one.
    sqs             = optional(string)
    sqs_kms_key_arn = optional(string)

    # With one of api_key, basic and oauth. The command destinations authorize sets the secret.
    https = optional(object({
      url             = string
      rate_per_second = optional(number, 10)
      api_key         = optional(object({ header = string }))
      basic           = optional(object({ username = string }))
      oauth           = optional(object({ token_url = string, client_id = string, parameters = optional(map(string), {}) }))
    }))

    lambda    = optional(string)
    event_bus = optional(string)

    types          = optional(list(string), [])
    channel_ids    = optional(list(number), [])
    status_ids     = optional(list(number), [])
    retry_hours    = optional(number, 24)
    retry_attempts = optional(number, 185)
  }))

  default  = {}
  nullable = false

  validation {
    # With the longest name of a stage, the name of a rule then has 58 characters. EventBridge and IAM accept 64.
    condition     = alltrue([for name in keys(var.destinations) : can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", name)) && length(name) <= 20])
    error_message = "destinations: a name must be 1 to 20 lowercase letters, digits and single hyphens, starting with a letter. It is part of the names of a rule and a role, which can have 64 characters. Change: ${join(", ", [for name in keys(var.destinations) : name if !(can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", name)) && length(name) <= 20)])}."
  }

  validation {
    condition     = !contains(keys(var.destinations), "tail")
    error_message = "destinations: the name tail is not available. With it, events are replayed to the command events tail."
  }

  validation {
    condition     = length(var.destinations) <= 100
    error_message = "destinations: at most 100 are possible. A bus has a quota of 300 rules, and every destination has a rule."
  }

  validation {
    condition     = alltrue([for each in var.destinations : length([for kind in [each.sqs, each.https, each.lambda, each.event_bus] : kind if kind != null]) == 1])
    error_message = "destinations: each must have exactly one of sqs, https, lambda and event_bus. To send to two receivers, add two destinations. Change: ${join(", ", [for name, each in var.destinations : name if length([for kind in [each.sqs, each.https, each.lambda, each.event_bus] : kind if kind != null]) != 1])}."
  }

  validation {
    condition     = alltrue([for each in var.destinations : each.sqs == null || can(regex("^arn:aws[a-z-]*:sqs:${var.region}:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\\.fifo)?$", each.sqs))])
    error_message = "destinations: sqs must be the ARN of a queue in the stage's region, for example arn:aws:sqs:${var.region}:123456789012:orders or, for a FIFO queue, ...:orders.fifo. EventBridge sends to queues of its own region only: for another region, send to an event_bus there."
  }

  validation {
    condition     = alltrue([for each in var.destinations : each.sqs_kms_key_arn == null || (each.sqs != null && can(regex("^arn:aws[a-z-]*:kms:${var.region}:[0-9]{12}:key/.+$", each.sqs_kms_key_arn)))])
    error_message = "destinations: sqs_kms_key_arn must be the ARN of a key, not of an alias, in the stage's region, beside sqs. It allows EventBridge to use the customer-managed key of the queue."
  }

  validation {
    condition     = alltrue([for each in var.destinations : each.lambda == null || can(regex("^arn:aws[a-z-]*:lambda:${var.region}:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]+)?$", each.lambda))])
    error_message = "destinations: lambda must be the ARN of a function in the stage's region, for example arn:aws:lambda:${var.region}:123456789012:function:orders. EventBridge invokes functions of its own region only: for another region, send to an event_bus there."
  }

  validation {
    condition     = alltrue([for each in var.destinations : each.event_bus == null || can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]{1,256}$", each.event_bus))])
    error_message = "destinations: event_bus must be the ARN of an event bus, for example arn:aws:events:eu-west-1:123456789012:event-bus/orders."
  }

  validation {
    condition     = alltrue([for each in var.destinations : !endswith(coalesce(each.event_bus, "-"), ":event-bus/order-replication-${var.stage}")])
    error_message = "destinations: event_bus must not be the bus of the stage itself. EventBridge does not send events back to the bus they are from."
  }

  validation {
    # No white space, user name, query string or fragment; brackets would be an IPv6 address.
    condition     = alltrue([for each in var.destinations : can(regex("^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\\s?#@*]*)?$", try(each.https.url, "https://example.com"))) && length(try(each.https.url, "")) <= 2048])
    error_message = "destinations: the url of https must be an https:// URL of at most 2048 characters without a user name, query string, fragment or *. EventBridge sends to HTTPS endpoints only, and a plan shows the URL: a secret in it would be visible."
  }

  validation {
    # Names of one label, reserved top-level names, and addresses that are not routed on the internet. A URL that the rule
    # above refuses is not refused twice.
    condition = alltrue([
      for host in flatten([for each in var.destinations : try(regex("^https://([A-Za-z0-9.-]+)(?::[0-9]+)?(?:/|$)", each.https.url), [])]) :
      can(regex("[^.]\\.[^.]", host)) && !can(regex("(^|\\.)(localhost|local|internal|intranet|lan|home|corp|private|test|example|invalid)\\.?$", lower(host))) && !can(regex(
        "^(0|10|127|169\\.254|192\\.168|172\\.(1[6-9]|2[0-9]|3[01])|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\\.[0-9.]+$", host
      ))
    ])
    error_message = "destinations: the host of the url of https must be public. EventBridge sends from outside of your network and does not reach localhost, internal names and private addresses. For an endpoint in a VPC, send to an sqs queue or a lambda function, and forward from there."
  }

  validation {
    condition     = alltrue([for each in var.destinations : each.https == null || length([for kind in [try(each.https.api_key, null), try(each.https.basic, null), try(each.https.oauth, null)] : kind if kind != null]) == 1])
    error_message = "destinations: https must have exactly one of api_key, basic and oauth. EventBridge sends no request without authorization; an endpoint that needs none ignores a header of api_key."
  }

  validation {
    condition     = alltrue([for each in var.destinations : can(regex("^[A-Za-z0-9!#$%&'*+.^_|~-]{1,256}$", try(each.https.api_key.header, "X-Api-Key"))) && !contains(["host", "content-length", "content-type", "user-agent", "connection", "transfer-encoding"], lower(try(each.https.api_key.header, "X-Api-Key")))])
    error_message = "destinations: the header of api_key must be the name of an HTTP header that EventBridge does not set itself, for example X-Api-Key or Authorization. The command destinations authorize sets the key."
  }

  validation {
    condition     = alltrue([for each in var.destinations : length(try(each.https.basic.username, "user")) >= 1 && length(try(each.https.oauth.client_id, "client")) >= 1])
    error_message = "destinations: username of basic and client_id of oauth must not be empty."
  }

  validation {
    condition     = alltrue([for each in var.destinations : can(regex("^https://[A-Za-z0-9.-]+\\.[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\\s?#@*]*)?$", try(each.https.oauth.token_url, "https://example.com")))])
    error_message = "destinations: token_url of oauth must be an https:// URL without a query string. EventBridge requests a token there with the client ID, the client secret and the parameters, in the body of a POST request."
  }

  validation {
    condition     = alltrue([for each in var.destinations : length(setintersection(try([for name in keys(each.https.oauth.parameters) : lower(name)], []), ["client_secret", "client_assertion", "password"])) == 0])
    error_message = "destinations: parameters of oauth must not contain a secret, because they are shown in plans and stored in the state. The command destinations authorize sets the client secret."
  }

  validation {
    condition     = alltrue([for each in var.destinations : try(each.https.rate_per_second, 10) >= 1 && try(each.https.rate_per_second, 10) <= 300 && floor(try(each.https.rate_per_second, 10)) == try(each.https.rate_per_second, 10)])
    error_message = "destinations: rate_per_second of https must be a whole number from 1 to 300 requests per second. Events above the rate wait at EventBridge."
  }

  validation {
    condition     = alltrue(flatten([for each in var.destinations : [for type in each.types : contains(["order.created", "order.changed", "order.moved", "order.archived", "order.forgotten"], type)]]))
    error_message = "destinations: types must be order.created, order.changed, order.moved, order.archived or order.forgotten. An event of another type is never published. Change: ${join(", ", distinct(flatten([for each in var.destinations : [for type in each.types : type if !contains(["order.created", "order.changed", "order.moved", "order.archived", "order.forgotten"], type)]])))}."
  }

  validation {
    condition     = alltrue(flatten([for each in var.destinations : [for id in each.channel_ids : id >= 1 && floor(id) == id]]))
    error_message = "destinations: channel_ids must be whole numbers, at least 1, as BigCommerce numbers its channels. No order has another channel ID."
  }

  validation {
    condition     = length(var.channel_ids) == 0 || alltrue([for each in var.destinations : length(setsubtract(each.channel_ids, var.channel_ids)) == 0])
    error_message = "destinations: channel_ids must be among the channel_ids of the stage. Orders of other channels are not replicated, and the destination would receive nothing."
  }

  validation {
    condition     = alltrue(flatten([for each in var.destinations : [for id in each.status_ids : contains(range(15), id)]]))
    error_message = "destinations: status_ids must be BigCommerce order status IDs, 0 to 14. No order has another status ID."
  }

  validation {
    condition     = alltrue([for each in var.destinations : each.retry_hours >= 1 && each.retry_hours <= 24 && floor(each.retry_hours) == each.retry_hours])
    error_message = "destinations: retry_hours must be a whole number from 1 to 24. EventBridge retries an event for 24 hours at most; then it is in the queue of undelivered events for 14 days."
  }

  validation {
    condition     = alltrue([for each in var.destinations : each.retry_attempts >= 0 && each.retry_attempts <= 185 && floor(each.retry_attempts) == each.retry_attempts])
    error_message = "destinations: retry_attempts must be a whole number from 0 to 185, the range of EventBridge."
  }
}

# Throughput

variable "consumer_concurrency" {
  description = "Maximum number of batches of 10 orders that are replicated concurrently (2 to 1000)."
  type        = number
  default     = 3

  validation {
    condition     = var.consumer_concurrency >= 2 && var.consumer_concurrency <= 1000 && floor(var.consumer_concurrency) == var.consumer_concurrency
    error_message = "consumer_concurrency must be a whole number from 2 to 1000, the range of the maximum concurrency of an SQS event source."
  }
}

variable "max_in_flight" {
  description = "Maximum number of requests to the store in flight per function instance (1 to 20)."
  type        = number
  default     = 5

  validation {
    condition     = var.max_in_flight >= 1 && var.max_in_flight <= 20 && floor(var.max_in_flight) == var.max_in_flight
    error_message = "max_in_flight must be a whole number from 1 to 20. All apps of a store share its request quota."
  }
}

variable "quota_reserved_for_new_orders" {
  description = "Share of the store's request quota that changes of orders leave to new orders (0 to 0.9)."
  type        = number
  default     = 0.4

  validation {
    condition     = var.quota_reserved_for_new_orders >= 0 && var.quota_reserved_for_new_orders <= 0.9
    error_message = "quota_reserved_for_new_orders must be from 0 to 0.9. Changes would never be replicated without a share of the quota."
  }
}

variable "embedded_reads" {
  description = "Whether the lines, addresses and pickups that the store embeds in an order are stored, in place of one request per list. An order whose embedded lists fail a check is read list by list. Run the embedded-reads command before you set it to true."
  type        = bool
  default     = false
}

variable "max_receive_count" {
  description = "Number of receives after which SQS moves a message to the dead-letter queue (5 to 100). With the delays between retries, 20 receives take more than 12 hours."
  type        = number
  default     = 20

  validation {
    condition     = var.max_receive_count >= 5 && var.max_receive_count <= 100 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count must be a whole number from 5 to 100. Fewer receives do not outlast a short outage, and 100 receives, most of them one hour apart, delay the alarm by four days."
  }
}

# Alerting, retention, encryption

variable "alert_email" {
  description = "E-mail address for alerts, not shown in plans. AWS sends two confirmation requests; alerts are delivered after they are confirmed."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s.]+$", var.alert_email))
    error_message = "alert_email must be an e-mail address."
  }
}

variable "alert_subscriptions" {
  description = "Additional subscriptions of both alert topics: the protocol (https, email, sms or sqs) and the endpoint. An HTTPS endpoint must confirm the subscription by itself, as those of PagerDuty and Opsgenie do."
  type        = list(object({ protocol = string, endpoint = string }))
  default     = []

  validation {
    condition = alltrue([
      for each in var.alert_subscriptions : can(regex(lookup({
        https = "^https://[^/\\s]+",
        email = "^[^@\\s]+@[^@\\s]+\\.[^@\\s.]+$",
        sms   = "^\\+[1-9][0-9]{6,14}$",
        sqs   = "^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}$",
      }, each.protocol, "^$"), each.endpoint))
    ])
    error_message = "alert_subscriptions must have the protocol https (a URL), email (an address), sms (a telephone number as +15551234567) or sqs (the ARN of a queue). SNS delivers nothing to other endpoints."
  }
}

variable "alert_on_field_changes" {
  description = "Whether the alarm order-fields-changed sends notifications: when the store's orders have a field that is new, gone or of another type. The status command shows such fields in any case."
  type        = bool
  default     = false
}

variable "runbook_url" {
  description = "URL of the runbook, without a fragment, 1 to 256 characters. Alarm descriptions and alert e-mails append # and the name of the alarm, for example https://example.com/runbook#dead-letters."
  type        = string
  default     = "docs/operations.md"

  validation {
    condition     = can(regex("^[^#\\s]{1,256}$", var.runbook_url))
    error_message = "runbook_url must be 1 to 256 characters without # and white space. A link to the heading of an alarm is derived from it."
  }
}

variable "log_retention_days" {
  description = "Retention of the function logs in CloudWatch Logs, in days."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention period that CloudWatch Logs supports: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "deletion_protection" {
  description = "Whether deletion protection is enabled for the tables Orders and Erasures. To destroy the stage, set it to false and deploy first."
  type        = bool
  default     = true
}

variable "webhook_rate_limit" {
  description = "Requests per second that the API accepts on average (1 to 1000). Requests above the limit are answered 429; BigCommerce repeats callbacks, and the next poll finds what it does not repeat."
  type        = number
  default     = 20

  validation {
    condition     = var.webhook_rate_limit >= 1 && var.webhook_rate_limit <= 1000
    error_message = "webhook_rate_limit must be from 1 to 1000 requests per second. Each request is an invocation that is charged."
  }
}

variable "webhook_burst_limit" {
  description = "Requests that the API accepts at once (1 to 2000). A bulk edit in the store causes several callbacks per order within seconds."
  type        = number
  default     = 100

  validation {
    condition     = var.webhook_burst_limit >= 1 && var.webhook_burst_limit <= 2000 && floor(var.webhook_burst_limit) == var.webhook_burst_limit
    error_message = "webhook_burst_limit must be a whole number from 1 to 2000. A burst starts as many function instances."
  }
}

variable "webhook_concurrency" {
  description = "Concurrency that is reserved for the webhook function, 1 to 1000, or -1 for none. It limits what a flood of requests can cost and take from other functions. New accounts cannot reserve concurrency."
  type        = number
  default     = -1

  validation {
    condition     = var.webhook_concurrency == -1 || (var.webhook_concurrency >= 1 && var.webhook_concurrency <= 1000 && floor(var.webhook_concurrency) == var.webhook_concurrency)
    error_message = "webhook_concurrency must be a whole number from 1 to 1000, or -1. With 0 no webhook would be accepted."
  }
}

variable "web_acl_arn" {
  description = "ARN of a regional web ACL of AWS WAF that filters requests before they are charged as invocations, or null."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex("^arn:aws[a-z-]*:wafv2:${var.region}:[0-9]{12}:regional/webacl/.+$", var.web_acl_arn))
    error_message = "web_acl_arn must be the ARN of a regional web ACL in the stage's region. API Gateway does not accept others."
  }
}

variable "allowed_source_cidrs" {
  description = "CIDR blocks from which webhooks are accepted. An empty list accepts every address. BigCommerce does not publish its addresses: restrict them only if a proxy with known addresses forwards the webhooks."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for block in var.allowed_source_cidrs : can(cidrhost(block, 0))])
    error_message = "allowed_source_cidrs must be CIDR blocks, for example 192.0.2.0/24."
  }
}

variable "access_logs" {
  description = "Whether API Gateway writes access logs. Requires a CloudWatch role for API Gateway in the account and region (API Gateway console, Settings); new accounts do not have one."
  type        = bool
  default     = false
}

variable "permissions_boundary" {
  description = "ARN of the policy that limits what the roles of the functions can allow, or null. Required for deployments from GitHub: terraform/github creates one per stage."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of a policy. From GitHub, set the variable PERMISSIONS_BOUNDARY in the environment to the output permissions_boundary_arns of terraform/github."
  }
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key in the stage's region that encrypts tables, queues, topics, secrets and logs, or null for AWS managed encryption. The key policy must allow kms:Decrypt and kms:GenerateDataKey* for cloudwatch.amazonaws.com, in addition kms:Describe* for events.amazonaws.com, and in addition kms:Describe*, kms:Encrypt* and kms:ReEncrypt* for logs.<region>.amazonaws.com."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:${var.region}:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias, in the stage's region. CloudWatch Logs and IAM policies do not support aliases."
  }
}

variable "retired_kms_key_arns" {
  description = "ARNs of customer-managed KMS keys that encrypted data of the stage earlier. When kms_key_arn is changed or removed, add the old key: the functions can then read messages, secrets and items that are still encrypted with it. Remove it after 14 days, when no message is encrypted with it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.retired_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:${var.region}:[0-9]{12}:key/.+$", arn))])
    error_message = "retired_kms_key_arns must be ARNs of keys, not of aliases, in the stage's region. IAM policies do not support aliases."
  }
}
