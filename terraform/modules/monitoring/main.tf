locals {
  # The widgets of the dashboard: title, statistic, and metrics in CloudWatch's array syntax.
  panels = [
    {
      title = "Orders"
      stat  = "Sum"
      metrics = [
        [var.namespace, var.metric_names.OrdersReplicated],
        [var.namespace, var.metric_names.OrdersMoved],
        [var.namespace, var.metric_names.OrdersSkipped],
        [var.namespace, var.metric_names.OrdersReturned],
      ]
    },
    {
      title = "Messages in the queues"
      stat  = "Maximum"
      metrics = concat(
        [
          for queue, name in var.queue_names :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { label = queue }]
        ],
        [
          for queue, name in var.queue_names :
          ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", name, { label = "${queue}: in flight" }]
        ],
        [
          for queue, name in var.dead_letter_queue_names :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { label = "${queue}: dead-letter queue" }]
        ],
      )
    },
    {
      title = "Age of the oldest message (seconds)"
      stat  = "Maximum"
      metrics = [
        for queue, name in var.queue_names :
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name, { label = queue }]
      ]
    },
    {
      title = "Missing, stale and failing orders, and unconfirmed moves"
      stat  = "Maximum"
      metrics = [
        [var.namespace, var.metric_names.MissingOrders, { period = 3600 }],
        [var.namespace, var.metric_names.StaleOrders, { period = 3600 }],
        [var.namespace, var.metric_names.FailingOrders, { stat = "Sum" }],
        [var.namespace, var.metric_names.UnconfirmedMoves, { stat = "Sum" }],
      ]
    },
    {
      title = "Undelivered events"
      stat  = "Maximum"
      metrics = concat(
        [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.unpublished_queue_name, { label = "not published" }]],
        [
          for destination, name in var.undelivered_queue_names :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { label = destination }]
        ],
      )
    },
    {
      title = "Age of the last change that was published (milliseconds)"
      stat  = "Maximum"
      metrics = [
        ["AWS/Lambda", "IteratorAge", "FunctionName", var.function_names["publish_changes"]],
      ]
    },
    {
      title = "Requests to the store"
      stat  = "Sum"
      metrics = [
        [var.namespace, var.metric_names.StoreRequests],
        [var.namespace, var.metric_names.StoreRequestsThrottled, { label = "throttled (429)" }],
        [var.namespace, var.metric_names.TokenRejections],
      ]
    },
    {
      title = "Embedded lists that were not used, by reason, and differences"
      stat  = "Sum"
      metrics = [
        # A search covers every reason. The namespace has quotes, because it contains a hyphen and a slash.
        [{
          expression = "SEARCH('{\"${var.namespace}\",Reason} MetricName=\"${var.metric_names.EmbeddedNotUsed}\"', 'Sum', 300)"
          label      = "not used: $${PROP('Dim.Reason')}"
        }],
        [var.namespace, var.metric_names.EmbeddedDifferences, { label = "differences" }],
      ]
    },
    {
      title = "Polls"
      stat  = "Sum"
      metrics = [
        [var.namespace, var.metric_names.PollsSucceeded],
        [var.namespace, var.metric_names.PollsStopped],
        [var.namespace, var.metric_names.PollsFailed],
        [var.namespace, var.metric_names.OrdersListed],
        [var.namespace, var.metric_names.OrdersQueued],
      ]
    },
    {
      title = "Webhook responses"
      stat  = "Sum"
      metrics = [
        [var.namespace, var.metric_names.WebhooksAccepted, { label = "2xx" }],
        [var.namespace, var.metric_names.WebhooksRefused, { label = "4xx" }],
        [var.namespace, var.metric_names.WebhooksFailed, { label = "5xx" }],
        ["AWS/ApiGateway", "5XXError", "ApiName", var.api_name, "Stage", var.api_stage, { label = "5xx of API Gateway" }],
      ]
    },
    {
      title = "Maximum duration (milliseconds)"
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

# Three widgets per row; the grid is 24 units wide.
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
