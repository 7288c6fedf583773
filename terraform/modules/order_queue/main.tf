data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  queue_names = {
    queue        = "${var.name}-${var.queue}"
    dead_letters = "${var.name}-${var.queue}-dead-letters"
  }

  # Composed here so that each queue is created with its policy; a separate policy resource takes another minute to apply.
  arn_prefix = "arn:${data.aws_partition.current.partition}:sqs:${var.region}:${data.aws_caller_identity.current.account_id}"
}

data "aws_iam_policy_document" "tls_only" {
  for_each = local.queue_names

  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = ["${local.arn_prefix}:${each.value}"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue" "queue" {
  name   = local.queue_names.queue
  policy = data.aws_iam_policy_document.tls_only["queue"].json

  # Lambda requires at least the function timeout and recommends six times the function timeout, so that a throttled
  # batch does not become visible again.
  visibility_timeout_seconds = 6 * var.consumer_timeout
  message_retention_seconds  = 1209600
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name   = local.queue_names.dead_letters
  policy = data.aws_iam_policy_document.tls_only["dead_letters"].json

  # Maximum retention of SQS, counted from when a message was first sent: a message stays 14 days minus the time it
  # spent in the queue it came from.
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn

  # Only the queue of this module moves messages here.
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["${local.arn_prefix}:${local.queue_names.queue}"]
  })
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-${var.alarm}"
  alarm_description   = "At least one message is in the dead-letter queue ${local.queue_names.dead_letters}: an order could not be replicated. Runbook: ${var.runbook_url}#${var.alarm}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  # SQS publishes no metrics for an inactive queue.
  treat_missing_data = "notBreaching"
}

# Renamed when the module was first used for a second queue.
moved {
  from = aws_sqs_queue.orders
  to   = aws_sqs_queue.queue
}
