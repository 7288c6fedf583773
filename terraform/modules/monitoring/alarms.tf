locals {
  # Seconds. CloudWatch looks back one day at most, and seven with periods of an hour or more; the shorter the period, the
  # sooner a missing poll is seen.
  poll_window = 2 * var.polling_interval * 60
  poll_period = local.poll_window <= 86400 ? 300 : 3600
}

resource "aws_cloudwatch_metric_alarm" "message_age" {
  alarm_name          = "${var.name}-message-age"
  alarm_description   = "Orders wait in the queue for more than an hour: replication is down or cannot keep up."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = var.queue_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3600
  alarm_actions       = [var.alarm_topic_arn]

  # SQS reports nothing for a queue that nobody has used for some hours.
  treat_missing_data = "notBreaching"
}

# A record that goes back to the queue is no error of the function; one that fails as a whole, or runs out of time, is.
resource "aws_cloudwatch_metric_alarm" "consumer_errors" {
  alarm_name          = "${var.name}-consumer-errors"
  alarm_description   = "replicate_orders failed with its whole batch, or ran out of time."
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
}

# What the functions cannot publish themselves: one that cannot start, runs out of time or is throttled.
resource "aws_cloudwatch_metric_alarm" "webhook_failures" {
  alarm_name          = "${var.name}-webhook-failures"
  alarm_description   = "Webhooks have been answered with a server error for a quarter of an hour: orders wait for the next poll."
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
}

# Silence is the fault here, so missing data breaches: in alarm from the first deployment until the first poll succeeds.
resource "aws_cloudwatch_metric_alarm" "polls_missing" {
  alarm_name          = "${var.name}-polls-missing"
  alarm_description   = "No poll has succeeded for ${2 * var.polling_interval} minutes, two intervals."
  namespace           = var.namespace
  metric_name         = "PollsSucceeded"
  statistic           = "Sum"
  period              = local.poll_period
  evaluation_periods  = local.poll_window / local.poll_period
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "unauthorized" {
  alarm_name          = "${var.name}-unauthorized"
  alarm_description   = "The store refuses the access token: it was revoked or lacks the scope Orders: modify. Nothing is replicated until it is replaced."
  namespace           = var.namespace
  metric_name         = "TokenRefusals"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

# The product's promise, counted by each sweep. Between two sweeps nothing is counted, and the alarm stays as it is.
resource "aws_cloudwatch_metric_alarm" "missing_orders" {
  alarm_name          = "${var.name}-missing-orders"
  alarm_description   = "New orders of the store are in no item, although an earlier sweep has queued them: python -m ops audit names them."
  namespace           = var.namespace
  metric_name         = "MissingOrders"
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "ignore"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "unconfirmed_moves" {
  alarm_name          = "${var.name}-unconfirmed-moves"
  alarm_description   = "Nobody can tell whether an order was moved: somebody changed it while the answer was lost. Look at its status; the log names it."
  namespace           = var.namespace
  metric_name         = "UnconfirmedMoves"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}
