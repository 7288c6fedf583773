locals {
  # One panel each: its title, its statistic, and its metrics as CloudWatch writes them.
  panels = [
    {
      title = "Orders"
      stat  = "Sum"
      metrics = [
        [var.namespace, "OrdersReplicated"],
        [var.namespace, "OrdersMoved"],
        [var.namespace, "OrdersSkipped"],
        [var.namespace, "OrdersReturned"],
      ]
    },
    {
      title = "Queues, messages"
      stat  = "Maximum"
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queue_name],
        ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", var.queue_name],
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letter_queue_name],
      ]
    },
    {
      title   = "Age of the oldest message, seconds"
      stat    = "Maximum"
      metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_name]]
    },
    {
      title = "New orders of the store that the table lacks a day later"
      stat  = "Maximum"
      metrics = [
        [var.namespace, "MissingOrders", { period = 3600 }],
        [var.namespace, "UnconfirmedMoves", { stat = "Sum" }],
      ]
    },
    {
      title = "Requests to the store"
      stat  = "Sum"
      metrics = [
        [var.namespace, "StoreRequests"],
        [var.namespace, "StoreRequestsThrottled", { label = "answered 429" }],
        [var.namespace, "TokenRefusals"],
      ]
    },
    {
      title = "Polls"
      stat  = "Sum"
      metrics = [
        [var.namespace, "PollsSucceeded"],
        [var.namespace, "PollsStopped"],
        [var.namespace, "PollsFailed"],
        [var.namespace, "OrdersListed"],
        [var.namespace, "OrdersQueued"],
      ]
    },
    {
      title = "Webhooks answered"
      stat  = "Sum"
      metrics = [
        [var.namespace, "WebhooksAccepted", { label = "2xx" }],
        [var.namespace, "WebhooksRefused", { label = "4xx" }],
        [var.namespace, "WebhooksFailed", { label = "5xx" }],
        ["AWS/ApiGateway", "5XXError", "ApiName", var.api_name, "Stage", var.api_stage, { label = "5xx at the gateway" }],
      ]
    },
    {
      title = "Duration, longest, milliseconds"
      stat  = "Maximum"
      metrics = [
        for handler, name in var.function_names :
        ["AWS/Lambda", "Duration", "FunctionName", name, { label = handler }]
      ]
    },
    {
      title = "Failed invocations"
      stat  = "Sum"
      metrics = [
        for handler, name in var.function_names :
        ["AWS/Lambda", "Errors", "FunctionName", name, { label = handler }]
      ]
    },
    {
      title = "Throttled invocations"
      stat  = "Sum"
      metrics = [
        for handler, name in var.function_names :
        ["AWS/Lambda", "Throttles", "FunctionName", name, { label = handler }]
      ]
    },
  ]
}

# Three panels a row; the whole grid is 24 wide.
resource "aws_cloudwatch_dashboard" "replication" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for index, panel in local.panels : {
        type   = "metric"
        x      = 8 * (index % 3)
        y      = 6 * floor(index / 3)
        width  = 8
        height = 6
        properties = {
          title   = panel.title
          region  = var.region
          view    = "timeSeries"
          stat    = panel.stat
          period  = 300
          metrics = panel.metrics
        }
      }
    ]
  })
}
