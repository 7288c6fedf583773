locals {
  # Minutes: two polling intervals, the 15 minutes that a poll can take until it reports its end, and 5 minutes for the
  # schedule and the logs to be late. Two polls of a stage that polls every 15 minutes can end 30 minutes apart.
  poll_window = 2 * var.polling_interval + 20

  # Seconds. An alarm evaluates at most one day, or seven days if its period is at least one hour. A shorter period
  # detects a missing poll sooner.
  poll_period = local.poll_window <= 1440 ? 300 : 3600

  age_period  = 300
  age_periods = 24
}

# The oldest message is what SQS counts, or what a consumer returns to the queue. SQS leaves out messages that were received
# three times or more, so that it shows no message of an outage of the store after its first minutes
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html). A
# message is retried once an hour at least, and the alarm covers the time between two retries.
resource "aws_cloudwatch_metric_alarm" "message_age" {
  alarm_name          = "${var.name}-message-age"
  alarm_description   = "New orders have been waiting for more than one hour. Replication has stopped, fails or cannot keep up. Runbook: ${var.runbook_url}#message-age"
  evaluation_periods  = local.age_periods
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3600
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  metric_query {
    id          = "oldest"
    expression  = "MAX([FILL(waiting, 0), FILL(returned, 0)])"
    label       = "Age of the oldest message (seconds)"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = var.queue_names.orders }
      stat        = "Maximum"
      period      = local.age_period
    }
  }

  metric_query {
    id = "returned"

    metric {
      namespace   = var.namespace
      metric_name = var.metric_names.OldestNewOrder
      stat        = "Maximum"
      period      = local.age_period
    }
  }
}

# A bulk edit of 10,000 orders is normal. Of a store with the smallest quota, 150 requests in 30 seconds, changes get about
# 11,000 requests an hour, so that such an edit is processed in less than five hours.
resource "aws_cloudwatch_metric_alarm" "changes_message_age" {
  alarm_name          = "${var.name}-changes-message-age"
  alarm_description   = "Changed orders have been waiting for more than six hours. Replication of changes has stopped, fails or cannot keep up. Runbook: ${var.runbook_url}#changes-message-age"
  evaluation_periods  = local.age_periods
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 21600
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  metric_query {
    id          = "oldest"
    expression  = "MAX([FILL(waiting, 0), FILL(returned, 0)])"
    label       = "Age of the oldest message (seconds)"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = var.queue_names.changes }
      stat        = "Maximum"
      period      = local.age_period
    }
  }

  metric_query {
    id = "returned"

    metric {
      namespace   = var.namespace
      metric_name = var.metric_names.OldestChange
      stat        = "Maximum"
      period      = local.age_period
    }
  }
}

# A message that is returned to the queue is not an error of the function; a failed invocation or a timeout is.
resource "aws_cloudwatch_metric_alarm" "consumer_errors" {
  alarm_name          = "${var.name}-consumer-errors"
  alarm_description   = "An invocation of replicate_orders failed or timed out. Its batch is retried. Runbook: ${var.runbook_url}#consumer-errors"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = var.function_names["replicate_orders"] }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "follower_errors" {
  alarm_name          = "${var.name}-follower-errors"
  alarm_description   = "An invocation of follow_orders failed or timed out. Its batch is retried. Runbook: ${var.runbook_url}#follower-errors"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = var.function_names["follow_orders"] }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "publisher_errors" {
  alarm_name          = "${var.name}-publisher-errors"
  alarm_description   = "An invocation of publish_changes failed or timed out. Its batch is retried. Runbook: ${var.runbook_url}#publisher-errors"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = var.function_names["publish_changes"] }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# Lambda measures the age of the last record of each batch that it reads, in milliseconds, also if the batch then fails. A
# stream keeps its records for 24 hours.
resource "aws_cloudwatch_metric_alarm" "event_age" {
  alarm_name          = "${var.name}-event-age"
  alarm_description   = "Changes of orders are published as events with a delay of more than one hour. Publishing fails or cannot keep up. Runbook: ${var.runbook_url}#event-age"
  namespace           = "AWS/Lambda"
  metric_name         = "IteratorAge"
  dimensions          = { FunctionName = var.function_names["publish_changes"] }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3600000
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# Covers failures that a function cannot report itself: initialization errors, timeouts and throttling.
resource "aws_cloudwatch_metric_alarm" "webhook_failures" {
  alarm_name          = "${var.name}-webhook-failures"
  alarm_description   = "Webhook callbacks have failed with a server error for 15 minutes. The orders are found by the next poll. Runbook: ${var.runbook_url}#webhook-failures"
  namespace           = "AWS/ApiGateway"
  metric_name         = "5XXError"
  dimensions          = { ApiName = var.api_name, Stage = var.api_stage }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# A poll that ends as stopped counts as well: it ran out of time because of a large backlog, and the next poll continues.
# FILL turns a period without a poll into a 0, so that the alarm is not evaluated with older data in place of missing data.
# SUM leaves out a metric that never had data. If both have none, missing data is breaching: the alarm is in ALARM state
# from the first deployment until the first poll has ended.
resource "aws_cloudwatch_metric_alarm" "polls_missing" {
  alarm_name          = "${var.name}-polls-missing"
  alarm_description   = "No poll has succeeded, or stopped at its time limit, for ${local.poll_window} minutes (two polling intervals and 20 minutes). Runbook: ${var.runbook_url}#polls-missing"
  evaluation_periods  = ceil(local.poll_window * 60 / local.poll_period)
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  metric_query {
    id          = "ended"
    expression  = "SUM([FILL(succeeded, 0), FILL(stopped, 0)])"
    label       = "Polls that succeeded or stopped"
    return_data = true
  }

  metric_query {
    id = "succeeded"

    metric {
      namespace   = var.namespace
      metric_name = var.metric_names.PollsSucceeded
      stat        = "Sum"
      period      = local.poll_period
    }
  }

  metric_query {
    id = "stopped"

    metric {
      namespace   = var.namespace
      metric_name = var.metric_names.PollsStopped
      stat        = "Sum"
      period      = local.poll_period
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "unauthorized" {
  alarm_name          = "${var.name}-unauthorized"
  alarm_description   = "The store rejects the access token: it was revoked or does not have the scope Orders: modify. No orders are replicated until it is replaced. Runbook: ${var.runbook_url}#unauthorized"
  namespace           = var.namespace
  metric_name         = var.metric_names.TokenRejections
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# Published by each sweep. There is no data between sweeps, so missing data keeps the alarm's state.
resource "aws_cloudwatch_metric_alarm" "missing_orders" {
  alarm_name          = "${var.name}-missing-orders"
  alarm_description   = "New orders are missing from the Orders table although an earlier sweep queued them. Run the audit command to list them. Runbook: ${var.runbook_url}#missing-orders"
  namespace           = var.namespace
  metric_name         = var.metric_names.MissingOrders
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "ignore"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "unconfirmed_moves" {
  alarm_name          = "${var.name}-unconfirmed-moves"
  alarm_description   = "The outcome of a status change is unknown: the response was lost and the order was changed by someone else. Check the status of the order that the log names. Runbook: ${var.runbook_url}#unconfirmed-moves"
  namespace           = var.namespace
  metric_name         = var.metric_names.UnconfirmedMoves
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# Published by each sweep, as for missing orders.
resource "aws_cloudwatch_metric_alarm" "stale_orders" {
  alarm_name          = "${var.name}-stale-orders"
  alarm_description   = "Orders in the Orders table differ from the store although an earlier sweep queued them. Run the audit command to list them. Runbook: ${var.runbook_url}#stale-orders"
  namespace           = var.namespace
  metric_name         = var.metric_names.StaleOrders
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "ignore"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# A failing order is retried, and logged, once an hour. The alarm covers two hours, so that it stays in ALARM state between
# two retries.
resource "aws_cloudwatch_metric_alarm" "failing_orders" {
  alarm_name          = "${var.name}-failing-orders"
  alarm_description   = "At least one order has been failing for more than one hour. It is retried until its message is in the dead-letter queue. Run the status command to list failing orders. Runbook: ${var.runbook_url}#failing-orders"
  namespace           = var.namespace
  metric_name         = var.metric_names.FailingOrders
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 24
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# From the first difference on, the stage reads every order list by list and compares nothing. The alarm therefore returns
# to OK state after five minutes, while the stage continues to read list by list.
resource "aws_cloudwatch_metric_alarm" "embedded_differs" {
  alarm_name          = "${var.name}-embedded-differs"
  alarm_description   = "The lists that the store embeds in an order differ from the lists requested one by one. All orders are read list by list until the embedded-reads command finds no difference. Runbook: ${var.runbook_url}#embedded-differs"
  namespace           = var.namespace
  metric_name         = var.metric_names.EmbeddedDifferences
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# Logged once per change, after a sweep. New fields are no fault, so that the alarm notifies by choice.
resource "aws_cloudwatch_metric_alarm" "order_fields_changed" {
  alarm_name          = "${var.name}-order-fields-changed"
  alarm_description   = "Fields of the store's orders are new, gone or of another type. Orders are replicated as before; other systems may not expect these fields. Run the fields command to list them. Runbook: ${var.runbook_url}#order-fields-changed"
  namespace           = var.namespace
  metric_name         = var.metric_names.OrderFieldsChanged
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  actions_enabled     = var.alert_on_field_changes
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# Logged by each sweep while a webhook is missing, so that the alarm is raised again by the next sweep.
resource "aws_cloudwatch_metric_alarm" "hooks_missing" {
  alarm_name          = "${var.name}-hooks-missing"
  alarm_description   = "A webhook of the service is not registered in the store. Orders are found by the next poll only. Run the webhook register command. Runbook: ${var.runbook_url}#hooks-missing"
  namespace           = var.namespace
  metric_name         = var.metric_names.HooksMissing
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# Requests without the webhook token, or with a wrong one. A few come from scanners; many are an attack, or a webhook whose
# token was not replaced together with the secret.
resource "aws_cloudwatch_metric_alarm" "webhooks_refused" {
  alarm_name          = "${var.name}-webhooks-refused"
  alarm_description   = "More than 100 webhook callbacks were refused within five minutes. Runbook: ${var.runbook_url}#webhooks-refused"
  namespace           = var.namespace
  metric_name         = var.metric_names.WebhooksRefused
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 100
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

# Requests above the throttling limit are answered 429. What BigCommerce does not repeat is found by the next poll.
resource "aws_cloudwatch_metric_alarm" "requests" {
  alarm_name          = "${var.name}-requests"
  alarm_description   = "The API has received more than 80 percent of the requests that it accepts, for 15 minutes. Runbook: ${var.runbook_url}#requests"
  namespace           = "AWS/ApiGateway"
  metric_name         = "Count"
  dimensions          = { ApiName = var.api_name, Stage = var.api_stage }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0.8 * 300 * var.webhook_rate_limit
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}
