data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  queue_names = {
    orders       = "${var.name}-orders"
    dead_letters = "${var.name}-orders-dead-letters"
  }

  # Written out, so that a queue is made with its policy: a policy of its own would be one more wait for SQS.
  arn_prefix = "arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}"
}

data "aws_iam_policy_document" "tls_only" {
  for_each = local.queue_names

  statement {
    sid       = "TlsOnly"
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

resource "aws_sqs_queue" "orders" {
  name   = local.queue_names.orders
  policy = data.aws_iam_policy_document.tls_only["orders"].json

  # Lambda refuses less than the function's time-out and advises six times it: a throttled batch is not received twice.
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

  # The longest SQS offers, counted from the first sending: a message is here for 14 days less its retries.
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "At least one order could not be replicated and lies in the dead-letter queue."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  alarm_actions       = [var.alarm_topic_arn]

  # SQS reports nothing for a queue that nobody has used for some hours.
  treat_missing_data = "notBreaching"
}
