locals {
  consumers = ["replicate_orders", "follow_orders"]

  # Metrics by name: the handlers whose logs are filtered, the filter pattern, the value that a matching line adds, and
  # dimensions by name. The patterns match fields of the structured log lines, never the message text. Each value of a
  # dimension is charged as a metric of its own, so a dimension must be a field with few values.
  metrics = {
    OrdersReplicated = {
      handlers = local.consumers
      pattern  = "{ $.event = \"order_replicated\" }"
      value    = "1"
    }
    OrdersMoved = {
      handlers = local.consumers
      pattern  = "{ ($.event = \"order_replicated\") && ($.moved IS TRUE) }"
      value    = "1"
    }
    OrdersSkipped = {
      handlers = local.consumers
      pattern  = "{ $.event = \"order_skipped\" }"
      value    = "1"
    }
    UnconfirmedMoves = {
      handlers = local.consumers
      pattern  = "{ $.event = \"move_unconfirmed\" }"
      value    = "1"
    }
    OrdersReturned = {
      handlers = local.consumers
      pattern  = "{ $.event = \"order_returned\" }"
      value    = "1"
    }
    # Seconds since the message was sent. Only their maximum has a meaning.
    OldestNewOrder = {
      handlers = ["replicate_orders"]
      pattern  = "{ ($.event = \"order_returned\") && ($.waiting_seconds = *) }"
      value    = "$.waiting_seconds"
    }
    OldestChange = {
      handlers = ["follow_orders"]
      pattern  = "{ ($.event = \"order_returned\") && ($.waiting_seconds = *) }"
      value    = "$.waiting_seconds"
    }
    PollsSucceeded = {
      handlers = ["poll_orders"]
      pattern  = "{ ($.event = \"poll_finished\") && ($.outcome = \"succeeded\") }"
      value    = "1"
    }
    PollsStopped = {
      handlers = ["poll_orders"]
      pattern  = "{ ($.event = \"poll_finished\") && ($.outcome = \"stopped\") }"
      value    = "1"
    }
    PollsFailed = {
      handlers = ["poll_orders"]
      pattern  = "{ ($.event = \"poll_finished\") && ($.outcome = \"failed\") }"
      value    = "1"
    }
    OrdersListed = {
      handlers = ["poll_orders"]
      pattern  = "{ ($.event = \"poll_finished\") && ($.listed = *) }"
      value    = "$.listed"
    }
    OrdersQueued = {
      handlers = ["poll_orders"]
      pattern  = "{ ($.event = \"poll_finished\") && ($.queued = *) }"
      value    = "$.queued"
    }
    MissingOrders = {
      handlers = ["poll_orders"]
      pattern  = "{ ($.event = \"missing_orders_counted\") && ($.missing = *) }"
      value    = "$.missing"
    }
    StaleOrders = {
      handlers = ["poll_orders"]
      pattern  = "{ ($.event = \"missing_orders_counted\") && ($.stale = *) }"
      value    = "$.stale"
    }
    FailingOrders = {
      handlers = local.consumers
      pattern  = "{ ($.event = \"order_failing\") && ($.failing_seconds >= 3600) }"
      value    = "1"
    }
    EmbeddedNotUsed = {
      handlers   = local.consumers
      pattern    = "{ ($.event = \"embedded_not_used\") && ($.reason = *) }"
      value      = "1"
      dimensions = { Reason = "$.reason" }
    }
    EmbeddedDifferences = {
      handlers = local.consumers
      pattern  = "{ $.event = \"embedded_differs\" }"
      value    = "1"
    }
    OrderFieldsChanged = {
      handlers = ["poll_orders"]
      pattern  = "{ ($.event = \"order_fields_changed\") && ($.changed = *) }"
      value    = "$.changed"
    }
    HooksMissing = {
      handlers = ["poll_orders"]
      pattern  = "{ $.event = \"hooks_missing\" }"
      value    = "1"
    }
    StoreRequests = {
      handlers = concat(["poll_orders"], local.consumers)
      pattern  = "{ ($.event = \"store_requests\") && ($.requests = *) }"
      value    = "$.requests"
    }
    StoreRequestsThrottled = {
      handlers = concat(["poll_orders"], local.consumers)
      pattern  = "{ ($.event = \"store_requests\") && ($.throttled = *) }"
      value    = "$.throttled"
    }
    TokenRejections = {
      handlers = concat(["poll_orders"], local.consumers)
      pattern  = "{ ($.event = \"access_token_rejected\") || (($.event = \"function_failed\") && ($.error = \"Unauthorized\")) }"
      value    = "1"
    }
    WebhooksAccepted = {
      handlers = ["cart_converted"]
      pattern  = "{ ($.event = \"webhook_answered\") && ($.status >= 200) && ($.status < 300) }"
      value    = "1"
    }
    WebhooksRefused = {
      handlers = ["cart_converted"]
      pattern  = "{ ($.event = \"webhook_answered\") && ($.status >= 400) && ($.status < 500) }"
      value    = "1"
    }
    WebhooksFailed = {
      handlers = ["cart_converted"]
      pattern  = "{ ($.event = \"webhook_answered\") && ($.status >= 500) }"
      value    = "1"
    }
  }

  filters = merge([
    for metric, lines in local.metrics : {
      for handler in lines.handlers : "${metric}-${handler}" => {
        metric     = metric
        handler    = handler
        pattern    = lines.pattern
        value      = lines.value
        dimensions = lookup(lines, "dimensions", null)
      }
    }
  ]...)
}

# A log group must exist before its function first runs: Lambda otherwise creates one that never expires.
resource "aws_cloudwatch_log_group" "function" {
  # checkov:skip=CKV_AWS_158:CloudWatch Logs always encrypts; a customer-managed key is used if kms_key_arn is set.
  # checkov:skip=CKV_AWS_338:Logs are for troubleshooting; the lasting records are in the DynamoDB tables.
  for_each = var.function_names

  name              = "/aws/lambda/${each.value}"
  retention_in_days = var.retention_days
  kms_key_id        = var.kms_key_arn
}

# Empty unless access_logs is true.
resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_158:CloudWatch Logs always encrypts; a customer-managed key is used if kms_key_arn is set.
  # checkov:skip=CKV_AWS_338:Logs are for troubleshooting; the lasting records are in the DynamoDB tables.
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_metric_filter" "function" {
  for_each = local.filters

  name           = "${var.name}-${each.value.metric}"
  log_group_name = aws_cloudwatch_log_group.function[each.value.handler].name
  pattern        = each.value.pattern

  metric_transformation {
    namespace  = var.namespace
    name       = each.value.metric
    value      = each.value.value
    unit       = "Count"
    dimensions = each.value.dimensions
  }
}
